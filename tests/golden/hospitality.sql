-- Rows of a twin pair that are missing or differ: several batches of seven.
SET session_replication_role = replica;
DELETE FROM revenues_partitioned WHERE (id, occurred_at) IN
  (SELECT t.id, t.occurred_at FROM revenues_partitioned t JOIN revenues r ON r.id = t.id AND r.occurred_at = t.occurred_at
   WHERE t.id % 50 = 1 ORDER BY t.id LIMIT 12);
UPDATE revenues_partitioned SET amount_cents = amount_cents + 7 WHERE id IN
  (SELECT t.id FROM revenues_partitioned t JOIN revenues r ON r.id = t.id AND r.occurred_at = t.occurred_at
   WHERE t.id % 50 = 2 ORDER BY t.id LIMIT 12);
