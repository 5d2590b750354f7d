CREATE TABLE deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    identity TEXT NOT NULL,          -- kind and the host's id
    digest TEXT,                     -- of the body, where the host signs it
    kind TEXT NOT NULL,
    repository TEXT NOT NULL,
    site TEXT,
    branch TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    received REAL NOT NULL,
    push TEXT                        -- as JSON; NULL when nothing needs it any more
);
CREATE INDEX by_identity ON deliveries (identity);
CREATE INDEX by_digest ON deliveries (digest);
CREATE TABLE orders (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery INTEGER NOT NULL REFERENCES deliveries (seq) ON DELETE CASCADE,
    deployment_id TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    attempts INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL,
    flow_run_id TEXT,
    url TEXT,
    token TEXT,
    reason TEXT,
    submitted REAL
);
CREATE INDEX queued ON orders (deployment_id, seq) WHERE state = 'queued';
CREATE INDEX outstanding ON orders (due) WHERE state = 'submitted';
CREATE INDEX of_delivery ON orders (delivery);
CREATE TABLE notices (
    order_seq INTEGER PRIMARY KEY REFERENCES orders (seq) ON DELETE CASCADE,
    state TEXT NOT NULL,
    description TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    since REAL NOT NULL,
    due REAL NOT NULL
);
CREATE TABLE registrations (deployment_id TEXT PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE secrets (block TEXT PRIMARY KEY, value TEXT NOT NULL);
PRAGMA user_version = 1;
