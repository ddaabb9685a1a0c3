"""Ganeti Web Manager's method, small: a VM is new when its mtime grew or its status differs, each one that is new is saved
by itself, and each save is a transaction. The third argument says how VMs are asked for: "each" is its refresh of one
object when it is looked at, for all objects; "bulk" its periodic update."""

import pickle
import sys

import psycopg2

import common

SAVE = "UPDATE bench_vms SET %s, serialized_info = %%s, cached = now() WHERE cluster = %%s AND uuid = %%s" % (
    ", ".join(f"{c} = %s" for c in common.COLUMNS))
CREATE = "INSERT INTO bench_vms (%s, serialized_info, cached) VALUES (%s, now())" % (
    ", ".join(common.COLUMNS), ", ".join(["%s"] * (len(common.COLUMNS) + 1)))


def bulk(rapi, cluster):
    return rapi.get(cluster, "/2/instances?bulk=1")


def each(rapi, cluster):
    for item in rapi.get(cluster, "/2/instances"):
        yield rapi.get(cluster, "/2/instances/" + item["id"])


def save(cursor, cluster, vm, known):
    """Saves a VM if it is new; says whether it did."""
    row = common.values(cluster, vm) + (psycopg2.Binary(pickle.dumps(vm)),)
    if vm["uuid"] not in known:
        cursor.execute(CREATE, row)
        return True
    mtime, status = known[vm["uuid"]]
    if mtime >= vm["mtime"] and status == vm["status"]:
        return False
    cursor.execute(SAVE, row + (cluster, vm["uuid"]))
    return True


def refresh(rapi, connection):
    connection.autocommit = True
    ask = {"bulk": bulk, "each": each}[sys.argv[3]]
    written = 0
    with connection.cursor() as cursor:
        for cluster in rapi.addresses:
            cursor.execute("SELECT uuid, mtime, status FROM bench_vms WHERE cluster = %s", (cluster,))
            known = {uuid: (mtime, status) for uuid, mtime, status in cursor}
            seen = []
            for vm in ask(rapi, cluster):
                seen.append(vm["uuid"])
                if save(cursor, cluster, vm, known):
                    written += 1
                elif ask is each:
                    cursor.execute("UPDATE bench_vms SET cached = now() WHERE cluster = %s AND uuid = %s",
                                   (cluster, vm["uuid"]))
                    written += 1
            if ask is bulk:
                cursor.execute("UPDATE bench_vms SET cached = now() WHERE cluster = %s", (cluster,))
                written += cursor.rowcount
            gone = list(set(known) - set(seen))
            if gone:
                cursor.execute("DELETE FROM bench_vms WHERE cluster = %s AND uuid = ANY(%s)", (cluster, gone))
                written += cursor.rowcount
    return written


common.main(refresh)
