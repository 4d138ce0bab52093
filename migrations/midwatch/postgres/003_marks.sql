-- Which rows of watched tables were written, by which transaction: the only sound evidence that a partition found
-- equal was not written since. Filled by the triggers of `watch`.
CREATE TABLE midwatch.marks (
  xid      xid8 NOT NULL DEFAULT pg_current_xact_id(),
  relation oid NOT NULL,           -- of a twin's row its leaf
  op       text NOT NULL,
  key      text[],                 -- NULL: all rows (TRUNCATE)
  part     text[]                  -- the partition key's columns
);
CREATE INDEX marks_xid ON midwatch.marks (xid);
CREATE TRIGGER marks_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON midwatch.marks
  FOR EACH STATEMENT EXECUTE FUNCTION midwatch.append_only();
