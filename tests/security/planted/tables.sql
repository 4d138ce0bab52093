create extension citext; create extension hstore; create extension ltree;
create type public.mood as enum ('sad', 'glad', 'new');
create table public.jobs (id varchar(40) primary key, state public.mood not null, at timestamptz not null default now(),
  tried timestamptz, attempts int not null default 9, error varchar(200), note varchar(40));
insert into public.jobs (id, state, error) select 'job ' || lpad(n::text, 3, '0'), 'sad', 'failed ' || n % 3
  from generate_series(1, 60) n;
create table public.byname (name citext primary key, v varchar(20));
insert into public.byname select case when n % 2 = 0 then 'Name ' else 'name ' end || n from generate_series(1, 40) n;
create table public.bypath (path ltree primary key, v varchar(20));
insert into public.bypath select ('a.b' || n)::ltree from generate_series(1, 40) n;
create table public.byattrs (attrs hstore primary key, v varchar(20));
insert into public.byattrs select hstore('k', n::text) from generate_series(1, 40) n;
create table public.bymood (mood public.mood, code varchar(9), v varchar(20), primary key (mood, code));
insert into public.bymood select case when n % 2 = 0 then 'sad' else 'glad' end::public.mood, n::text from generate_series(1, 40) n;
create table public.sums (code varchar(9) primary key, rows bigint not null);
create table public.old (name citext, d date not null, v varchar(20), primary key (name, d));
create table public.new (name citext, d date not null, v varchar(20), primary key (name, d)) partition by range (d);
create table public.new_all partition of public.new for values from ('2026-01-01') to ('2100-01-01');
insert into public.old select 'Name ' || n, date '2026-01-01' + n, 'x' from generate_series(1, 300) n;
insert into public.new select * from public.old where name <> 'Name 7'::citext;
update public.new set v = 'y' where name = 'Name 9'::citext;
create type public.pair as (one int, other text);
create table public.vold (code varchar(9), d date not null, mood public.mood, moods public.mood[], pair public.pair, note varchar(20),
  primary key (code, d));
create table public.vnew (code varchar(9), d date not null, mood public.mood, moods public.mood[], pair public.pair, note varchar(20),
  primary key (code, d)) partition by range (d);
create table public.vnew_all partition of public.vnew for values from ('2026-01-01') to ('2100-01-01');
insert into public.vold select n::text, date '2026-01-01' + n, 'sad', array['sad', 'new']::public.mood[], row(n, 'x')::public.pair, 'x'
  from generate_series(1, 60) n;
insert into public.vnew select * from public.vold where code <> '7';
update public.vnew set mood = 'glad' where code = '9';
update public.vnew set note = null, moods = '{glad}', pair = row(1, 'y') where code = '11';
-- The owner of its column's type gives that a cast to a time.
create type public.moment as (at timestamptz);
create table public.stamped (id varchar(40) primary key, state text not null, at public.moment not null);
insert into public.stamped select n::text, 'new', row(now())::public.moment from generate_series(1, 20) n;
-- Partitions by lists of values that are equal, though they are written otherwise, and of a type whose equality is not found.
create table public.lold (name varchar(20), place citext, primary key (name, place));
create table public.lnew (name varchar(20), place citext, primary key (name, place)) partition by list (place);
create table public.lnew_a partition of public.lnew for values in ('A');
create table public.lnew_b partition of public.lnew for values in ('B', 'C');
insert into public.lold select n::text, (array['a', 'B', 'c'])[n % 3 + 1] from generate_series(1, 30) n;
insert into public.lnew select * from public.lold;
create table public.told (name varchar(20), place ltree, primary key (name, place));
create table public.tnew (name varchar(20), place ltree, primary key (name, place)) partition by list (place);
create table public.tnew_a partition of public.tnew for values in ('a.b', 'a.c');
insert into public.told select n::text, 'a.b' from generate_series(1, 30) n;
insert into public.tnew select * from public.told;
-- A type that is made of another, and a table that is only read.
create type public.held as (m public.mood);
create table public.boxes (id varchar(40) primary key, held public.held);
insert into public.boxes select n::text, row('sad')::public.held from generate_series(1, 5) n;
create table public.people (id int primary key, nick public.mood);
insert into public.people select n, 'sad' from generate_series(1, 5) n;
