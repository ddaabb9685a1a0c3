"""Fetches all VMs and upserts every row, many to a statement: psycopg2's execute_values."""

import json

from psycopg2.extras import execute_values

import common

UPSERT = """INSERT INTO bench_vms (%s, info, cached) VALUES %%s
ON CONFLICT (cluster, uuid) DO UPDATE SET %s""" % (
    ", ".join(common.COLUMNS),
    ", ".join(f"{c} = excluded.{c}" for c in common.COLUMNS[2:] + ("info", "cached")))


def refresh(rapi, connection):
    written = 0
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        now = cursor.fetchone()[0]
        for cluster in rapi.addresses:
            vms = rapi.get(cluster, "/2/instances?bulk=1")
            execute_values(cursor, UPSERT, [common.values(cluster, vm) + (json.dumps(vm), now) for vm in vms],
                           page_size=1000)
            written += len(vms)
        cursor.execute("DELETE FROM bench_vms WHERE cached < %s", (now,))
        return written + cursor.rowcount


common.main(refresh)
