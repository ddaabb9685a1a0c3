"""Fetches all VMs and upserts every row with a statement of its own, in one transaction."""

import json

import common

UPSERT = """INSERT INTO bench_vms (%s, info, cached) VALUES (%s)
ON CONFLICT (cluster, uuid) DO UPDATE SET %s""" % (
    ", ".join(common.COLUMNS), ", ".join(["%s"] * (len(common.COLUMNS) + 2)),
    ", ".join(f"{c} = excluded.{c}" for c in common.COLUMNS[2:] + ("info", "cached")))


def refresh(rapi, connection):
    written = 0
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        now = cursor.fetchone()[0]
        for cluster in rapi.addresses:
            for vm in rapi.get(cluster, "/2/instances?bulk=1"):
                cursor.execute(UPSERT, common.values(cluster, vm) + (json.dumps(vm), now))
                written += cursor.rowcount
        cursor.execute("DELETE FROM bench_vms WHERE cached < %s", (now,))
        return written + cursor.rowcount


common.main(refresh)
