-- Tables of a role that is no superuser, and how it tries to become one: by a function of its own that others run.
create role {owner} login;
create role {planter} login;
create schema shop authorization {owner};
grant create on database {database} to {owner};
set role {owner};
create table shop.ord (name text primary key, placed date not null, total int);
create table shop.ord_twin (name text not null, placed date not null, total int, primary key (name, placed))
  partition by range (placed);
create table shop.ord_all partition of shop.ord_twin for values from ('2026-01-01') to ('2100-01-01');
insert into shop.ord select 'n' || i, date '2026-01-01' + i, i from generate_series(1, 20) i;
insert into shop.ord_twin select * from shop.ord;
-- Another role writes the tables, and may make things beside them.
grant usage, create on schema shop to {planter};
grant select, insert, update, delete on shop.ord, shop.ord_twin to {planter};
-- With whose rights does it run? A superuser's make its caller one, and leave a file.
create function shop.seize(who text) returns void language plpgsql set search_path = pg_catalog as $$
begin
  begin
    execute format('alter role %I superuser', who);
  exception when others then null;
  end;
  begin
    execute format('copy (select current_user) to program %L', 'cat >> {trace}');
  exception when others then null;
  end;
end $$;
create function shop.seizing() returns trigger language plpgsql as $$
begin perform shop.seize('{owner}'); return new; end $$;
reset role;
