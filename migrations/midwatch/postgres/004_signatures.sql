-- Entries are signed by the installation that writes them; its public key is told here, once.
CREATE TABLE midwatch.installations (
  fingerprint text PRIMARY KEY,    -- of the key: the first half of its sha256
  public_key  text NOT NULL,       -- Ed25519, hexadecimal
  name        text NOT NULL,       -- user@host, a label
  first_seen  text NOT NULL,       -- part of what is signed, so a text
  replaces    text,                -- the fingerprint of the key that it came after
  proof       text,                -- that key's signature over this one
  signature   text NOT NULL        -- its own, over all of the row
);
CREATE TRIGGER installations_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON midwatch.installations
  FOR EACH STATEMENT EXECUTE FUNCTION midwatch.append_only();

-- NULL: written by an earlier version. The first signed entry ends that part.
ALTER TABLE midwatch.events
  ADD COLUMN installation text,
  ADD COLUMN signed_for   text,    -- the database
  ADD COLUMN counter      bigint,  -- entries of this installation so far
  ADD COLUMN signature    text;    -- over the hash, the database and the counter
CREATE UNIQUE INDEX events_counter ON midwatch.events (installation, counter) WHERE installation IS NOT NULL;

-- Whoever may write entries may tell their key.
DO $$
DECLARE
  operator text;
BEGIN
  FOR operator IN
    SELECT DISTINCT a.grantee::regrole::text FROM pg_class c, aclexplode(c.relacl) a
    WHERE c.oid = 'midwatch.events'::regclass AND a.privilege_type = 'INSERT' AND a.grantee NOT IN (0, c.relowner)
  LOOP
    EXECUTE format('GRANT SELECT, INSERT ON midwatch.installations TO %s', operator);
  END LOOP;
END
$$;
