"""Makes model packages from labelled texts: validate, tune, train, export, evaluate, gate, register.

`stages` lists what happens in which order, `cli` calls it. Only `encoder` needs torch, and nothing else imports it.
"""
