-- More rows that a twin lacks: several batches of seven. And where changes of its rows can be held.
SET session_replication_role = replica;
DELETE FROM revenues_partitioned WHERE (id, occurred_at) IN
  (SELECT t.id, t.occurred_at FROM revenues_partitioned t JOIN revenues r ON r.id = t.id AND r.occurred_at = t.occurred_at
   WHERE t.id % 50 = 1 ORDER BY t.id LIMIT 12);

SELECT fault.watch('daily_cash_balances_partitioned', 'change', 'BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT');
SELECT fault.watch('revenues_partitioned', 'change', 'BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT');
