"""What the peers share: the clusters, the table, and a round for each line of standard input."""

import json
import sys

import psycopg2
import requests
import urllib3

# The bench's clusters have self-signed certificates, and scripts like these commonly do not check them.
urllib3.disable_warnings()

TABLE = """CREATE TABLE IF NOT EXISTS bench_vms (
    cluster text, uuid text, name text, status text, admin_state text, pnode text, os text, vcpus integer,
    memory_mib integer, disk_mib integer, ips text[], tags text[], mtime double precision, info jsonb,
    serialized_info bytea, cached timestamptz, PRIMARY KEY (cluster, uuid)
);
CREATE INDEX IF NOT EXISTS bench_vms_name ON bench_vms (name);
CREATE INDEX IF NOT EXISTS bench_vms_status ON bench_vms (status)"""

COLUMNS = ("cluster", "uuid", "name", "status", "admin_state", "pnode", "os", "vcpus", "memory_mib", "disk_mib", "ips",
           "tags", "mtime")


def values(cluster, vm):
    """The columns of one VM."""
    return (cluster, vm["uuid"], vm["name"], vm["status"], vm["admin_state"], vm["pnode"], vm["os"],
            vm["beparams"]["vcpus"], vm["beparams"]["maxmem"], sum(vm["disk.sizes"]), vm["nic.ips"], vm["tags"],
            vm["mtime"])


class RAPI:
    """The clusters that a file lists."""

    def __init__(self, file):
        with open(file, encoding="utf-8") as f:
            site = json.load(f)
        self.addresses = {c["name"]: c["address"] for c in site["clusters"]}
        self.session = requests.Session()
        self.session.auth = (site["username"], site["password"])
        self.session.verify = False
        self.session.trust_env = False  # proxies and other authorities of the environment have no place here

    def get(self, cluster, path):
        answer = self.session.get("https://" + self.addresses[cluster] + path, timeout=120)
        answer.raise_for_status()
        return answer.json()


def main(refresh):
    """Calls refresh(rapi, connection), which returns the rows that it wrote, for each line."""
    rapi = RAPI(sys.argv[1])
    connection = psycopg2.connect(sys.argv[2])
    with connection, connection.cursor() as cursor:
        cursor.execute(TABLE)
    for _ in sys.stdin:
        print(json.dumps({"rows_written": refresh(rapi, connection)}), flush=True)
