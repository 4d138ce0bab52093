-- Where a step of a run can be held or made to fail: by triggers that the test owns, on tables that the step writes.
-- The program knows nothing of it.
CREATE SCHEMA fault;

-- A row strikes the step it names; `batch` NULL: in any batch; `code` NULL: hold until the row is gone.
CREATE TABLE fault.gate (step text PRIMARY KEY, batch bigint, code text);

-- Not an advisory lock: lock_timeout would end that wait.
CREATE FUNCTION fault.strike(at text, nr bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  g fault.gate;
  whose text := CASE at WHEN 'lock' THEN 'midwatch/lock%' ELSE 'midwatch/run%' END;
BEGIN
  IF current_setting('application_name') NOT LIKE whose THEN RETURN; END IF;
  SELECT * INTO g FROM fault.gate t WHERE t.step = at AND (t.batch IS NULL OR t.batch = nr);
  IF NOT FOUND THEN RETURN; END IF;
  IF g.code IS NOT NULL THEN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = g.code;
  END IF;
  WHILE EXISTS (SELECT FROM fault.gate t WHERE t.step = at) LOOP PERFORM pg_sleep(0.01); END LOOP;
END
$$;

-- The batch under way: the one after the last that is committed.
CREATE FUNCTION fault.current_batch() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  IF to_regclass('midwatch.runs') IS NULL THEN RETURN 0; END IF;
  RETURN (SELECT r.batch + 1 FROM midwatch.runs r WHERE r.outcome = 'running' ORDER BY r.id DESC LIMIT 1);
END
$$;

CREATE FUNCTION fault.step() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  nr bigint;
BEGIN
  IF TG_LEVEL = 'STATEMENT' THEN
    nr := fault.current_batch();
  ELSIF TG_TABLE_NAME = 'events' THEN
    nr := (to_jsonb(NEW) ->> 'body')::jsonb ->> 'batch';
  ELSE
    nr := to_jsonb(NEW) ->> 'batch';
  END IF;
  PERFORM fault.strike(TG_ARGV[0], nr);
  RETURN NEW;
END
$$;

-- ALWAYS: with session_replication_role = replica ordinary triggers are silent.
CREATE FUNCTION fault.watch(place regclass, at text, rest text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE %s TRIGGER %I %s EXECUTE FUNCTION fault.step(%L)',
                 CASE WHEN rest LIKE '%DEFERRABLE%' THEN 'CONSTRAINT' ELSE '' END, 'fault_' || at, format(rest, place), at);
  EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', place, 'fault_' || at);
END
$$;

CREATE FUNCTION fault.watch_journal() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM fault.watch('midwatch.runs', 'intent', 'BEFORE INSERT ON %s FOR EACH STATEMENT');
  PERFORM fault.watch('midwatch.planned_blocks', 'stage', 'BEFORE INSERT ON %s FOR EACH STATEMENT');
  PERFORM fault.watch('midwatch.image_blocks', 'image', 'BEFORE INSERT ON %s FOR EACH ROW');
  -- A page for each block, so that every batch needs room.
  ALTER TABLE midwatch.image_blocks SET (fillfactor = 10);
  PERFORM fault.watch('midwatch.runs', 'checkpoint',
                      'BEFORE UPDATE ON %s FOR EACH ROW WHEN (NEW.checkpoint > OLD.checkpoint)');
  -- Statements go on by themselves, inside their own transaction; what holds nothing comes after it.
  PERFORM fault.watch('midwatch.runs', 'next', $t$BEFORE UPDATE ON %s FOR EACH ROW
                      WHEN (NEW.step = jsonb_array_length(NEW.plan -> 'steps') AND NEW.outcome = OLD.outcome
                            AND CASE NEW.plan #>> '{steps,-1,action,do}' WHEN 'statements' THEN NEW.step = OLD.step
                                ELSE NEW.step > OLD.step END)$t$);
  PERFORM fault.watch('midwatch.events', 'entry', $t$BEFORE INSERT ON %s FOR EACH ROW WHEN (NEW.kind = 'batch')$t$);
  PERFORM fault.watch('midwatch.events', 'outcome', $t$BEFORE INSERT ON %s FOR EACH ROW WHEN (NEW.kind = 'outcome')$t$);
  -- These strike inside COMMIT.
  PERFORM fault.watch('midwatch.events', 'intent_commit',
    $t$AFTER INSERT ON %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.kind = 'intent')$t$);
  PERFORM fault.watch('midwatch.events', 'resumed_commit',
    $t$AFTER INSERT ON %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.kind = 'resumed')$t$);
  PERFORM fault.watch('midwatch.events', 'reconnected_commit',
    $t$AFTER INSERT ON %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.kind = 'reconnected')$t$);
  PERFORM fault.watch('midwatch.events', 'commit',
    $t$AFTER INSERT ON %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.kind = 'batch')$t$);
  PERFORM fault.watch('midwatch.events', 'outcome_commit',
    $t$AFTER INSERT ON %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.kind = 'outcome')$t$);
END
$$;

-- The guard trigger goes off and on again by ALTER TABLE, and `init` creates the journal: no trigger fires for those.
CREATE FUNCTION fault.ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
  object text := (SELECT object_identity FROM pg_event_trigger_ddl_commands() LIMIT 1);
BEGIN
  IF current_setting('application_name') NOT LIKE 'midwatch/run%' THEN RETURN; END IF;
  IF TG_TAG = 'ALTER TABLE' AND object LIKE 'public.%' THEN
    PERFORM fault.strike('guard', fault.current_batch());
  ELSIF TG_TAG = 'CREATE TABLE' AND object = 'midwatch.planned_blocks' THEN
    PERFORM fault.watch_journal();
    PERFORM fault.strike('create', 0);
  END IF;
END
$$;
CREATE EVENT TRIGGER fault_ddl ON ddl_command_end WHEN TAG IN ('ALTER TABLE', 'CREATE TABLE') EXECUTE FUNCTION fault.ddl();

-- Taking the lock is one function call that waits for nothing: in this database it can be held.
CREATE FUNCTION fault.try_lock(int, int) RETURNS bool LANGUAGE internal AS 'pg_try_advisory_lock_int4';
ALTER FUNCTION pg_catalog.pg_try_advisory_lock(int, int) RENAME TO pg_try_advisory_lock_builtin;
CREATE FUNCTION pg_catalog.pg_try_advisory_lock(int, int) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
  PERFORM fault.strike('lock', 0);
  RETURN fault.try_lock($1, $2);
END
$$;
