-- Where a switchover can be held, besides the gates of `fault.sql`: at an entry by the name of its stage, step or
-- command; inside the COMMIT of that entry; and at the first statement of a step that alters something.
CREATE FUNCTION fault.entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  body jsonb := NEW.body::jsonb;
BEGIN
  PERFORM fault.strike(TG_ARGV[0] || coalesce(body ->> 'stage', body ->> 'id', body ->> 'command', NEW.kind), NULL);
  RETURN NEW;
END
$$;
CREATE TRIGGER fault_named BEFORE INSERT ON midwatch.events FOR EACH ROW EXECUTE FUNCTION fault.entry('');
CREATE CONSTRAINT TRIGGER fault_named_commit AFTER INSERT ON midwatch.events DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION fault.entry('commit ');
ALTER TABLE midwatch.events ENABLE ALWAYS TRIGGER fault_named;
ALTER TABLE midwatch.events ENABLE ALWAYS TRIGGER fault_named_commit;

CREATE FUNCTION fault.first() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('application_name') NOT LIKE 'midwatch/run%' THEN RETURN; END IF;
  PERFORM fault.strike('first of ' || coalesce(r.plan #>> ARRAY['steps', r.step::text, 'id'], 'nothing'), NULL)
  FROM (SELECT plan, step FROM midwatch.runs WHERE outcome = 'running' ORDER BY id DESC LIMIT 1) r;
END
$$;
CREATE EVENT TRIGGER fault_first ON ddl_command_start EXECUTE FUNCTION fault.first();
