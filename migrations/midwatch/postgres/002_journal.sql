-- The journal: runs, what each of their batches changed, and a chain of entries that shows alterations.

CREATE SEQUENCE midwatch.fences;

CREATE TABLE midwatch.runs (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  operation  text NOT NULL,
  name       text NOT NULL,
  target     text NOT NULL,
  plan       jsonb NOT NULL,
  plan_text  text NOT NULL,        -- as it was approved, to the byte
  digest     text NOT NULL,
  undoes     bigint REFERENCES midwatch.runs (id),
  operator   text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at   timestamptz,
  outcome    text NOT NULL DEFAULT 'running'
             CHECK (outcome IN ('running', 'applied', 'failed', 'partial', 'ambiguous')),
  resumable  bool NOT NULL DEFAULT false,
  verified   bool,
  message    text,                 -- what it waits for, or why it stopped
  fence      bigint NOT NULL,      -- whoever resumes takes a higher one; batches of a lower one are refused
  lock_pid   int,                  -- holds the target's advisory lock
  backends   text[] NOT NULL DEFAULT '{}',  -- pid and start of each session that may write for this run
  planned    bigint NOT NULL,
  applied    bigint NOT NULL DEFAULT 0,
  drifted    bigint NOT NULL DEFAULT 0,
  step       int NOT NULL DEFAULT 0,
  checkpoint bigint NOT NULL DEFAULT 0,     -- last planned row of the step that is done with
  batch      bigint NOT NULL DEFAULT 0,
  batch_rows bigint,
  beat_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX runs_plan ON midwatch.runs ((plan ->> 'id'));
CREATE INDEX runs_undoes ON midwatch.runs (undoes) WHERE undoes IS NOT NULL;

-- The plan's rows, in its order: what a resumed run goes on with.
CREATE TABLE midwatch.planned_rows (
  run    bigint NOT NULL,          -- no foreign key: each row would ask for it, and the chain's entries sum them up
  step   int NOT NULL,
  seq    bigint NOT NULL,
  unit   bigint,                   -- rows of one unit share a transaction
  key    jsonb NOT NULL,
  before jsonb,
  after  jsonb,
  PRIMARY KEY (run, step, seq)
);

-- What is never compared by the planner need not be looked at by ANALYZE.
ALTER TABLE midwatch.planned_rows ALTER key SET STATISTICS 0, ALTER before SET STATISTICS 0, ALTER after SET STATISTICS 0;

-- Every row written, as it was and as it became; values as the server's text of them.
CREATE TABLE midwatch.images (
  run      bigint NOT NULL,
  step     int NOT NULL,
  batch    bigint NOT NULL,
  seq      bigint,                 -- of planned_rows; NULL: a derived row
  relation text NOT NULL,
  key      jsonb NOT NULL,
  before   jsonb,                  -- NULL: it was not there
  after    jsonb                   -- NULL: it is no more
);
ALTER TABLE midwatch.images ALTER key SET STATISTICS 0, ALTER before SET STATISTICS 0, ALTER after SET STATISTICS 0;
CREATE INDEX images_run ON midwatch.images (run, batch);

-- Planned rows that were passed by because they no longer held what the plan said.
CREATE VIEW midwatch.drifted AS
SELECT p.* FROM midwatch.planned_rows p JOIN midwatch.runs r ON r.id = p.run
WHERE (p.step < r.step OR p.step = r.step AND p.seq <= r.checkpoint) AND r.drifted > 0
  AND NOT EXISTS (SELECT FROM midwatch.images i
                  WHERE i.run = p.run AND i.step = p.step AND i.seq = p.seq)
  -- A row that was computed again has its image as a row that followed.
  AND NOT (r.plan #>> ARRAY['steps', p.step::text, 'action', 'kind'] = 'compute'
           AND EXISTS (SELECT FROM midwatch.images i
                       WHERE i.run = p.run AND i.step = p.step AND i.seq IS NULL AND i.key = p.key
                         AND i.relation = r.plan #>> ARRAY['steps', p.step::text, 'action', 'table']));

CREATE TABLE midwatch.events (
  seq  bigint PRIMARY KEY,
  at   text NOT NULL,
  run  bigint REFERENCES midwatch.runs (id),
  kind text NOT NULL,
  body text NOT NULL,
  prev text NOT NULL,
  hash text NOT NULL               -- sha256 of prev, seq, at, run, kind and body, a line each
);
CREATE INDEX events_run ON midwatch.events (run, seq);

-- The chain's end: one row, whose lock puts writers in a line.
CREATE TABLE midwatch.head (
  one  bool PRIMARY KEY DEFAULT true CHECK (one),
  seq  bigint NOT NULL DEFAULT 0,
  hash text NOT NULL DEFAULT ''
);
INSERT INTO midwatch.head DEFAULT VALUES;

CREATE FUNCTION midwatch.append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%.% is append-only: % refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON midwatch.events
  FOR EACH STATEMENT EXECUTE FUNCTION midwatch.append_only();
CREATE TRIGGER planned_rows_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON midwatch.planned_rows
  FOR EACH STATEMENT EXECUTE FUNCTION midwatch.append_only();
CREATE TRIGGER images_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON midwatch.images
  FOR EACH STATEMENT EXECUTE FUNCTION midwatch.append_only();
