-- What the database's owner plants in `public`: better matches than the server's own functions and operators for
-- arguments that a console passes. Called by a superuser each runs a program, READ ONLY or not.
create function public.planted(who text) returns void language plpgsql set search_path = pg_catalog as $$
begin
  -- Not is_superuser, which is of the session: a function of a superuser's runs as one in any session.
  if (select rolsuper from pg_roles where rolname = current_user) then
    execute format('copy (select 1) to program %L', 'cat > /dev/null; echo ' || who || ' >> {trace}');
  end if;
end $$;
create function public.unnest(text[]) returns setof text language plpgsql as $$
begin perform public.planted('unnest'); return query select u from pg_catalog.unnest($1) u; end $$;
create function public.format(text, name, name) returns text language plpgsql as $$
begin perform public.planted('format3'); return pg_catalog.format($1, $2, $3); end $$;
create function public.format(text, text) returns text language plpgsql as $$
begin perform public.planted('format1'); return pg_catalog.format($1, $2); end $$;
create function public.format(text, text, text) returns text language plpgsql as $$
begin perform public.planted('format2'); return pg_catalog.format($1, $2, $3); end $$;
create function public.lower(varchar) returns text language plpgsql as $$
begin perform public.planted('lower'); return pg_catalog.lower($1); end $$;
create function public.length(varchar) returns int language plpgsql as $$
begin perform public.planted('length'); return pg_catalog.length($1::text); end $$;
create function public.json_build_object(text, text) returns json language plpgsql as $$
begin perform public.planted('object'); return pg_catalog.json_build_object($1, $2); end $$;
create function public.json_build_array(text) returns json language plpgsql as $$
begin perform public.planted('array1'); return pg_catalog.json_build_array($1); end $$;
create function public.json_build_array(text, text) returns json language plpgsql as $$
begin perform public.planted('array2'); return pg_catalog.json_build_array($1, $2); end $$;
create function public.json_build_array(json, json) returns json language plpgsql as $$
begin perform public.planted('arrays'); return pg_catalog.json_build_array($1, $2); end $$;
create function public.counted(bigint, int) returns bigint language plpgsql as $$
begin perform public.planted('count'); return $1 + 1; end $$;
create aggregate public.count(int) (sfunc = public.counted, stype = bigint, initcond = 0);
create function public.to_regclass(varchar) returns regclass language plpgsql as $$
begin perform public.planted('to_regclass'); return pg_catalog.to_regclass($1); end $$;
create function public.cardinality(text[]) returns int language plpgsql as $$
begin perform public.planted('cardinality'); return pg_catalog.cardinality($1); end $$;
create function public.string_agg_of(text, varchar) returns text language plpgsql as $$
begin perform public.planted('string_agg'); return coalesce($1 || ' ', '') || $2; end $$;
create aggregate public.string_agg(varchar) (sfunc = public.string_agg_of, stype = text);
create function public.member(jsonb, jsonb) returns text language plpgsql as $$
begin perform public.planted('member'); return pg_catalog.jsonb_object_field_text($1, $2 #>> '{}'); end $$;
create operator public.->> (leftarg = jsonb, rightarg = jsonb, function = public.member);
create function public.joined(text, int) returns text language plpgsql as $$
begin perform public.planted('joined'); return $1 || $2::text; end $$;
create operator public.|| (leftarg = text, rightarg = int, function = public.joined);
create function public.joined(text, bigint) returns text language plpgsql as $$
begin perform public.planted('joined'); return $1 || $2::text; end $$;
create operator public.|| (leftarg = text, rightarg = bigint, function = public.joined);
create function public.same(varchar, varchar) returns bool language plpgsql as $$
begin perform public.planted('varchar'); return $1::text operator(pg_catalog.=) $2::text; end $$;
create operator public.= (leftarg = varchar, rightarg = varchar, function = public.same);
create function public.less(varchar, varchar) returns bool language plpgsql as $$
begin perform public.planted('varchar'); return $1::text operator(pg_catalog.<) $2::text; end $$;
create operator public.< (leftarg = varchar, rightarg = varchar, function = public.less);
create function public.more(varchar, varchar) returns bool language plpgsql as $$
begin perform public.planted('varchar'); return $1::text operator(pg_catalog.>) $2::text; end $$;
create operator public.> (leftarg = varchar, rightarg = varchar, function = public.more);
create function public.in_text(text, varchar) returns bool language plpgsql as $$
begin perform public.planted('text'); return $1 operator(pg_catalog.=) $2::text; end $$;
create operator public.= (leftarg = text, rightarg = varchar, function = public.in_text);
create function public.same(public.mood, public.mood) returns bool language plpgsql as $$
begin perform public.planted('mood'); return $1::text operator(pg_catalog.=) $2::text; end $$;
create operator public.= (leftarg = public.mood, rightarg = public.mood, function = public.same);
create function public.more(public.mood, public.mood) returns bool language plpgsql as $$
begin perform public.planted('mood'); return $1 operator(pg_catalog.>) $2; end $$;
create operator public.> (leftarg = public.mood, rightarg = public.mood, function = public.more);
create function public.less(public.mood, public.mood) returns bool language plpgsql as $$
begin perform public.planted('mood'); return $1 operator(pg_catalog.<) $2; end $$;
create operator public.< (leftarg = public.mood, rightarg = public.mood, function = public.less);
-- What the driver's own questions to the catalog would meet: a column's table, the labels of an enum.
create function public.same(int, oid) returns bool language plpgsql as $$
begin perform public.planted('int4_oid'); return $1::oid operator(pg_catalog.=) $2; end $$;
create operator public.= (leftarg = int, rightarg = oid, function = public.same);
create function public.same(oid, int) returns bool language plpgsql as $$
begin perform public.planted('oid_int4'); return $1 operator(pg_catalog.=) $2::oid; end $$;
create operator public.= (leftarg = oid, rightarg = int, function = public.same);
create function public.array_agg_of(name[], name) returns name[] language plpgsql as $$
begin perform public.planted('array_agg'); return pg_catalog.array_append($1, $2); end $$;
create aggregate public.array_agg(name) (sfunc = public.array_agg_of, stype = name[], initcond = '{}');
create function public.joined(int, text) returns text language plpgsql as $$
begin perform public.planted('int_text'); return $1::text operator(pg_catalog.||) $2; end $$;
create operator public.|| (leftarg = int, rightarg = text, function = public.joined);
