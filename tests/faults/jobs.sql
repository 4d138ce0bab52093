-- A queue that is a table: what the demo's systems have no example of.
CREATE TABLE jobs (
  id           bigint PRIMARY KEY,
  state        text NOT NULL DEFAULT 'waiting',
  payload      text NOT NULL,
  tries        int NOT NULL DEFAULT 0,
  failure      text,
  created_at   timestamptz NOT NULL,
  tried_at     timestamptz
);
CREATE TABLE job_log (id bigserial PRIMARY KEY, job bigint NOT NULL, action text NOT NULL, reason text, context jsonb, at timestamptz DEFAULT now());
-- Long enough for their before-images to take several pages.
INSERT INTO jobs (id, state, payload, tries, failure, created_at, tried_at)
SELECT n, CASE WHEN n % 3 = 0 THEN 'done' ELSE 'failed' END, 'job ' || n || repeat(' .', 700), 5, CASE WHEN n % 3 > 0 THEN 'timeout' END,
       now() - interval '1 day', now() - interval '1 hour'
FROM generate_series(1, 60) AS n;
SELECT fault.watch('jobs', 'change', 'BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT');
SELECT fault.watch('job_log', 'audit', 'BEFORE INSERT ON %s FOR EACH STATEMENT');
