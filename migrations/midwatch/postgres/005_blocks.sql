-- Before-images and planned rows in blocks: arrays with an element a row. An element is a JSON object, its values as the
-- server's text of them. Runs of earlier versions keep theirs in `images` and `planned_rows`; nothing is added there.
CREATE TABLE midwatch.image_blocks (
  run      bigint NOT NULL,
  step     int NOT NULL,
  batch    bigint NOT NULL,
  relation text NOT NULL,
  seqs     bigint[],               -- of planned rows; NULL: derived rows
  keys     text[] NOT NULL,
  before   text[] NOT NULL,        -- an element is NULL: it was not there; columns that `after` has alike are left out
  after    text[] NOT NULL         -- an element is NULL: it is no more
);
CREATE INDEX image_blocks_run ON midwatch.image_blocks (run, batch);

-- Rows of one unit and of one thousand: 1 to 1000, 1001 to 2000, …
CREATE TABLE midwatch.planned_blocks (
  run    bigint NOT NULL,
  step   int NOT NULL,
  first  bigint NOT NULL,
  last   bigint NOT NULL,
  unit   bigint,                   -- rows of one unit share a transaction
  keys   text[] NOT NULL,
  before text[] NOT NULL,
  after  text[] NOT NULL,
  PRIMARY KEY (run, step, first)
);

-- What is never compared by the planner need not be looked at by ANALYZE.
ALTER TABLE midwatch.image_blocks ALTER seqs SET STATISTICS 0, ALTER keys SET STATISTICS 0,
  ALTER before SET STATISTICS 0, ALTER after SET STATISTICS 0;
ALTER TABLE midwatch.planned_blocks ALTER keys SET STATISTICS 0, ALTER before SET STATISTICS 0, ALTER after SET STATISTICS 0;

CREATE TRIGGER image_blocks_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON midwatch.image_blocks
  FOR EACH STATEMENT EXECUTE FUNCTION midwatch.append_only();
CREATE TRIGGER planned_blocks_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON midwatch.planned_blocks
  FOR EACH STATEMENT EXECUTE FUNCTION midwatch.append_only();

-- Who may work with the journal can add nothing to a plan: its rows come with its run, in one transaction, before its
-- first entry. An UPDATE makes an older run's row look as if it came with them.
CREATE FUNCTION midwatch.comes_with_its_run() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM midwatch.runs r
                 WHERE r.id = new.run AND r.xmin::text = (txid_current() % 4294967296)::text)
     OR EXISTS (SELECT FROM midwatch.events e WHERE e.run = new.run) THEN
    RAISE EXCEPTION 'planned rows of run % are written when it begins, and not after', new.run;
  END IF;
  RETURN new;
END
$$;
CREATE TRIGGER planned_blocks_come_with_their_run BEFORE INSERT ON midwatch.planned_blocks
  FOR EACH ROW EXECUTE FUNCTION midwatch.comes_with_its_run();

-- Entries are numbered from one: who may add some puts none before the first.
ALTER TABLE midwatch.events ADD CONSTRAINT events_seq_check CHECK (seq > 0);

-- It knew rows of the earlier form only.
DROP VIEW midwatch.drifted;

-- A third smaller and faster where the server was built with it.
DO $$
BEGIN
  EXECUTE 'ALTER TABLE midwatch.image_blocks ALTER seqs SET COMPRESSION lz4, ALTER keys SET COMPRESSION lz4,
           ALTER before SET COMPRESSION lz4, ALTER after SET COMPRESSION lz4';
  EXECUTE 'ALTER TABLE midwatch.planned_blocks ALTER keys SET COMPRESSION lz4, ALTER before SET COMPRESSION lz4,
           ALTER after SET COMPRESSION lz4';
EXCEPTION WHEN feature_not_supported OR syntax_error THEN
  NULL;
END
$$;

-- Whoever may read the journal may read what came to it, the installations of the file before among it.
DO $$
DECLARE
  it record;
BEGIN
  FOR it IN
    SELECT k.name, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS reader
    FROM (VALUES ('events', 'installations'), ('images', 'image_blocks'), ('planned_rows', 'planned_blocks')) k(earlier, name)
    JOIN pg_class c ON c.oid = format('midwatch.%I', k.earlier)::regclass CROSS JOIN LATERAL aclexplode(c.relacl) a
    WHERE a.privilege_type = 'SELECT' AND a.grantee <> c.relowner
  LOOP
    EXECUTE format('GRANT SELECT ON midwatch.%I TO %s', it.name, it.reader);
  END LOOP;
END
$$;

-- Whoever may write images may write them here, and no longer there.
DO $$
DECLARE
  operator text;
BEGIN
  FOR operator IN
    SELECT DISTINCT a.grantee::regrole::text FROM pg_class c, aclexplode(c.relacl) a
    WHERE c.oid = 'midwatch.images'::regclass AND a.privilege_type = 'INSERT' AND a.grantee NOT IN (0, c.relowner)
  LOOP
    EXECUTE format('GRANT SELECT, INSERT ON midwatch.image_blocks, midwatch.planned_blocks TO %s', operator);
    EXECUTE format('REVOKE INSERT ON midwatch.images, midwatch.planned_rows FROM %s', operator);
  END LOOP;
END
$$;
