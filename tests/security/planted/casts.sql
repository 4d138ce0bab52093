-- What the owner of a type may define, and no search path keeps out.
create function public.told(public.mood) returns text language plpgsql as $$
begin perform public.planted('mood_text'); return case when $1 operator(pg_catalog.=) 'sad' then 'glad' else pg_catalog.enum_out($1)::text end; end $$;
create cast (public.mood as text) with function public.told(public.mood) as assignment;
create function public.shown(public.mood) returns json language plpgsql as $$
begin perform public.planted('mood_json'); return pg_catalog.json_build_array(pg_catalog.enum_out($1)::text); end $$;
create cast (public.mood as json) with function public.shown(public.mood);
create function public.taken(text) returns public.mood language plpgsql as $$
begin perform public.planted('text_mood'); return pg_catalog.enum_in($1::cstring, 'public.mood'::regtype); end $$;
create cast (text as public.mood) with function public.taken(text) as assignment;
create function public.told(public.mood[]) returns text language plpgsql as $$
begin perform public.planted('moods_text'); return pg_catalog.array_out($1)::text; end $$;
create cast (public.mood[] as text) with function public.told(public.mood[]) as assignment;
create function public.told(public.pair) returns text language plpgsql as $$
begin perform public.planted('pair_text'); return pg_catalog.record_out($1)::text; end $$;
create cast (public.pair as text) with function public.told(public.pair) as assignment;
create function public.timed(public.moment) returns timestamptz language plpgsql as $$
begin perform public.planted('moment'); return ($1).at; end $$;
create cast (public.moment as timestamptz) with function public.timed(public.moment) as implicit;
-- The row type of a table is its owner's as well.
create function public.told(public.old) returns text language plpgsql as $$
begin perform public.planted('row_text'); return 'always the same'; end $$;
create cast (public.old as text) with function public.told(public.old) as assignment;
create function public.shown(public.old) returns json language plpgsql as $$
begin perform public.planted('row_json'); return '{}'; end $$;
create cast (public.old as json) with function public.shown(public.old);
-- A history that another tool might have written, of a type that is made of one with a cast.
create table public.__drizzle_migrations (id int primary key, hash public.held, created_at bigint);
insert into public.__drizzle_migrations values (1, row('sad')::public.held, 1);
