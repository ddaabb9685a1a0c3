-- Tables for what export.sql brought; they vanish with the session. docs/coming-from-gwm.md says how this is used.
CREATE TEMPORARY TABLE gwm_permissions (
    kind       TEXT NOT NULL,
    holder     TEXT NOT NULL,
    active     INTEGER NOT NULL,
    permission TEXT NOT NULL,
    cluster    TEXT NOT NULL,
    slug       TEXT NOT NULL,
    vm         TEXT NOT NULL
);

-- For a cluster that has another name in Ganeti Web Manager: its host name there, and its name here.
CREATE TEMPORARY TABLE gwm_clusters (
    hostname TEXT NOT NULL,
    name     TEXT NOT NULL
);
