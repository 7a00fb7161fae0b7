"""Reads reports as analysts do, with DuckDB and pyarrow, and prints what it found as one JSON object.

usage: reports.py FOLDER PAGE ENDPOINT
FOLDER holds labelstream-data; PAGE is docs/reports.md, whose queries are run as they stand there; ENDPOINT is that of an
S3 API with the same reports in s3://reports/team/a.
"""
import json
import os
import re
import sys

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as fs
import pyarrow.parquet as pq

TABLES = ["drift", "window_summary", "performance", "words"]


def glob(table):
    return f"labelstream-data/{table}/v=1/**/*.parquet"


def dataset(table, filesystem=None, root="labelstream-data"):
    return ds.dataset(f"{root}/{table}/v=1", partitioning="hive", filesystem=filesystem)


def counts():
    """Rows and columns of each table, by both readers."""
    found = {}
    for table in TABLES:
        rows = duckdb.sql(f"SELECT count(*) FROM read_parquet('{glob(table)}')").fetchall()[0][0]
        described = duckdb.sql(f"DESCRIBE SELECT * FROM read_parquet('{glob(table)}', hive_partitioning = false)").fetchall()
        found[table] = {
            "duckdb": rows,
            "pyarrow": dataset(table).count_rows(),
            "columns": [[name, kind] for name, kind, *_ in described],
        }
    return found


def pruned():
    """How many files are opened for one day of three."""
    query = f"SELECT count(*) FROM read_parquet('{glob('drift')}', hive_partitioning = true) WHERE dt = '2026-05-02'"
    plan = "\n".join(row[1] for row in duckdb.sql("EXPLAIN ANALYZE " + query).fetchall())
    files = re.search(r"Scanning Files:\s*(\d+)/(\d+)", plan) or re.search(r"Total Files Read:\s*(\d+)()", plan)
    fragments = dataset("drift").get_fragments(filter=pc.field("dt") == "2026-05-02")
    return {"duckdb": files and [int(number or 0) for number in files.groups()], "pyarrow": len(list(fragments))}


def newer():
    """A file with a column more beside the others: one query reads both."""
    table = pq.read_table("labelstream-data/drift/v=1/model=banking77-minilm/granularity=PT1H/dt=2026-05-01/w=0000-r0.parquet", partitioning=None)
    table = table.append_column("e_value", pa.array([1.0] * len(table)))
    os.makedirs("newer/dt=2026-06-01")
    pq.write_table(table, "newer/dt=2026-06-01/w=0000-r0.parquet")
    files = f"['{glob('drift')}', 'newer/**/*.parquet']"
    query = f"SELECT count(*), count(e_value) FROM read_parquet({files}, union_by_name = true)"
    return list(duckdb.sql(query).fetchall()[0])


def documented(page):
    """Runs every query of the page; the number of rows that each gives."""
    blocks = re.findall(r"^```(sql|python)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    results = []
    for language, text in blocks:
        if language == "sql":
            for query in filter(str.strip, text.split(";")):
                results.append(["sql", duckdb.sql(query).to_arrow_table().num_rows])
        else:
            names = {}
            exec(text, names)
            results.append(["python", len(names["table"])])
    return results


def main(folder, page, endpoint):
    with open(page) as file:
        page = file.read()
    os.chdir(folder)
    duckdb.sql("SET TimeZone = 'UTC'")  # only for how moments are shown
    s3 = fs.S3FileSystem(access_key="labelstream-tests", secret_key="hunter2", endpoint_override=endpoint, scheme="http", region="us-east-1")
    finding = duckdb.sql(f"""
        SELECT feature, verdict, reason, q_value, p_value_method, typeof(window_start), window_start::VARCHAR, model, granularity, dt::VARCHAR,
               len(bins), bins[1].label, bins[1].reference, top_contributors[1].key, offsets[2]."partition", offsets[2]."end"
        FROM read_parquet('{glob("drift")}', hive_partitioning = true) WHERE verdict = 'drift' ORDER BY window_start LIMIT 1""")
    print(json.dumps({
        "tables": counts(),
        "finding": [str(value) for value in finding.fetchall()[0]],
        "arrow_type": str(dataset("drift").schema.field("window_start").type),
        "models": sorted(set(dataset("drift").to_table(columns=["model"])["model"].to_pylist())),
        "pruned": pruned(),
        "newer": newer(),
        "documented": documented(page),
        "bucket": dataset("drift", s3, "reports/team/a").count_rows(),
    }))


main(*sys.argv[1:])
