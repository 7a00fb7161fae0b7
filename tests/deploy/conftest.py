"""What several checks share: each environment rendered once a run, in each form.

The programs and the schemas come from `tools/install deploy`; where one could not be installed, the checks that need
it are skipped and say so.
"""

import functools
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import render

FORMS = ["kustomize", *render.HELMS]


@functools.cache
def rendered(form, environment):
    needs("kubectl" if form == "kustomize" else form)
    return render.kustomize(environment) if form == "kustomize" else render.chart(form, environment)


def needs(program):
    if not (render.PROGRAMS / program).exists():
        pytest.skip(f"{program} is not installed: tools/install deploy")


@pytest.fixture(params=render.ENVIRONMENTS)
def environment(request):
    return request.param


@pytest.fixture(params=FORMS)
def objects(request, environment):
    """What a cluster would get, in each form; not to be changed."""
    return rendered(request.param, environment)


@pytest.fixture(params=render.HELMS)
def helm(request):
    needs(request.param)
    return request.param
