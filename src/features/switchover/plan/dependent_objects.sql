-- For people `public` is left out of names. $1 legacy, $2 twin, $3 the declared triggers, $4 the twin's bare name, $5 the legacy table's.
with recursive tree as (select $2::oid as oid union all select i.inhrelid from pg_inherits i join tree t on i.inhparent = t.oid),
readers as (
  select case when d.refobjid = $1::oid then 1 else 2 end as side, w.ev_class as view from pg_depend d join pg_rewrite w on w.oid = d.objid
  where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and w.ev_class <> d.refobjid
    and (d.refobjid = $1::oid or d.refobjid in (select oid from tree))
  union
  select r.side, w.ev_class from readers r join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = r.view
  join pg_rewrite w on d.classid = 'pg_rewrite'::regclass and w.oid = d.objid and w.ev_class <> r.view),
fired as (
  select t.oid, replace(pg_get_triggerdef(t.oid), format(' ON %I.%I ', n.nspname, c.relname), ' ON ') as effect
  from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
  where not t.tgisinternal and (t.tgrelid = $1::oid or t.tgrelid in (select oid from tree))),
own as (
  select c.oid, json_build_object(
    'owner', pg_get_userbyid(c.relowner), 'row_security', c.relrowsecurity, 'forced', c.relforcerowsecurity,
    'comment', obj_description(c.oid, 'pg_class'),
    'grants', coalesce((
      select json_agg(json_build_object('grantee', case when a.grantee = 0 then 'public' else pg_get_userbyid(a.grantee) end,
                                        'privilege', a.privilege_type, 'column', a.attname, 'grantable', a.is_grantable)
                      order by pg_get_userbyid(a.grantee), a.privilege_type, a.attname)
      from (select x.grantee, x.privilege_type, x.is_grantable, null::name as attname from aclexplode(c.relacl) x
            union all
            select x.grantee, x.privilege_type, x.is_grantable, t.attname
            from pg_attribute t cross join lateral aclexplode(t.attacl) x where t.attrelid = c.oid and not t.attisdropped) a), '[]'),
    'policies', coalesce((
      select json_agg(json_build_object('name', p.polname, 'clauses',
               case when p.polpermissive then 'as permissive' else 'as restrictive' end
               || ' for ' || case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end
               || ' to ' || coalesce((select string_agg(case when r = 0 then 'public' else quote_ident(pg_get_userbyid(r)) end, ', ')
                                      from unnest(p.polroles) r), 'public')
               || coalesce(' using (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
               || coalesce(' with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')) order by p.polname)
      from pg_policy p where p.polrelid = c.oid), '[]'),
    'columns', coalesce((
      select json_agg(json_build_object('name', a.attname, 'default', case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end,
               'identity', a.attidentity <> '', 'always', a.attidentity = 'a', 'generated', a.attgenerated <> '',
               'sequence', s.name, 'owns', coalesce(s.owns, false), 'usable_by', coalesce(s.usable_by, '[]'), 'comment', col_description(c.oid, a.attnum)) order by a.attnum)
      from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      left join lateral (
        select format('%I.%I', n.nspname, q.relname) as name,
               (select json_agg(case when u.grantee = 0 then 'public' else pg_get_userbyid(u.grantee) end)
                from aclexplode(coalesce(q.relacl, acldefault('s', q.relowner))) u where u.privilege_type in ('USAGE', 'UPDATE')) as usable_by,
               exists (select from pg_depend o where o.classid = 'pg_class'::regclass and o.objid = q.oid
                       and o.refobjid = a.attrelid and o.refobjsubid = a.attnum and o.deptype in ('a', 'i')) as owns
        from pg_depend p join pg_class q on q.relkind = 'S' and q.oid = case when p.classid = 'pg_attrdef'::regclass then p.refobjid else p.objid end
        join pg_namespace n on n.oid = q.relnamespace
        where p.classid = 'pg_attrdef'::regclass and p.objid = d.oid and p.refclassid = 'pg_class'::regclass
           or p.classid = 'pg_class'::regclass and p.refobjid = a.attrelid and p.refobjsubid = a.attnum and p.deptype = 'i'
        limit 1) s on true
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]')) as facts
  from pg_class c where c.oid in ($1::oid, $2::oid)),
keys as (
  select i.indrelid, i.indexrelid, (select array_agg(a.attname::text order by a.attname) from pg_attribute a
          where a.attrelid = i.indrelid and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])) as columns,
         i.indisunique, pg_get_indexdef(i.indexrelid) as definition, i.indexprs is null and i.indpred is null as plain
  from pg_index i where i.indrelid in ($1::oid, $2::oid) and i.indisvalid)
select (select facts from own where oid = $1::oid) as legacy, (select facts from own where oid = $2::oid) as twin,
  coalesce((select json_agg(json_build_object('name', format('%I.%I', n.nspname, v.relname), 'materialized', v.relkind = 'm',
                     'options', array_to_string(v.reloptions, ', '), 'definition', pg_get_viewdef(v.oid),
                     'columns', (select json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod)) order by a.attnum)
                                 from pg_attribute a where a.attrelid = v.oid and a.attnum > 0 and not a.attisdropped)) order by v.oid)
            from (select distinct w.ev_class from pg_depend p join pg_rewrite w on w.oid = p.objid
                  where p.classid = 'pg_rewrite'::regclass and p.refclassid = 'pg_class'::regclass and p.refobjid = $1::oid
                    and w.ev_class <> $1::oid) d
            join pg_class v on v.oid = d.ev_class join pg_namespace n on n.oid = v.relnamespace where v.relkind in ('v', 'm')), '[]') as views,
  coalesce((select json_agg(json_build_object('name', t.tgname, 'state', t.tgenabled::text, 'definition', pg_get_triggerdef(t.oid),
                     'constraint', t.tgconstraint <> 0,
                     'body', f.prosrc, 'before', t.tgtype::int & 2 > 0,
                     'by_name', t.tgtype::int & 1 > 0 and f.prosrc ~* '\mtg_(table_name|relname|relid)\M',
                     'mirrors', t.tgname = any ($3) or f.proname like 'midwatch\_%'
                       or f.prosrc ~* ('(\minto|\mupdate|\mdelete\s+from)\s+(only\s+)?("?[\w$]+"?\.)?"?' || regexp_replace($4, '\W', '\\\&', 'g') || '\M'),
                     'namesakes', coalesce((
                       select json_agg(json_build_object('table', regexp_replace(x.tgrelid::regclass::text, '^public[.]', ''),
                                'same', x.tgrelid = $2::oid and x.tgenabled = t.tgenabled and e.effect = o.effect) order by x.tgrelid::regclass::text)
                       from pg_trigger x join fired e on e.oid = x.oid join fired o on o.oid = t.oid
                       where x.tgname = t.tgname and x.tgrelid <> $1::oid and x.tgparentid = 0), '[]'),
                     'ours', f.pronamespace is not distinct from (select oid from pg_namespace where nspname = 'midwatch')) order by t.tgname)
            from pg_trigger t join pg_proc f on f.oid = t.tgfoid where t.tgrelid = $1::oid and not t.tgisinternal), '[]') as triggers,
  coalesce((select json_agg(json_build_object('name', k.conname, 'table', k.conrelid::regclass::text, 'definition', pg_get_constraintdef(k.oid))
                            order by k.conrelid::regclass::text, k.conname)
            from pg_constraint k where k.contype = 'f' and k.confrelid = $1::oid and k.conrelid <> $1::oid and k.conparentid = 0), '[]') as referrers,
  coalesce((select json_agg(json_build_object('name', k.conname, 'table', k.conrelid::regclass::text, 'definition', pg_get_constraintdef(k.oid)) order by k.conname)
            from pg_constraint k where k.conrelid = $1::oid and k.contype in ('c', 'f', 'x')
              and not exists (select from pg_constraint o where o.conrelid = $2::oid and o.contype = k.contype
                              and pg_get_constraintdef(o.oid) = pg_get_constraintdef(k.oid))), '[]') as constraints,
  coalesce((select json_agg(k.columns) from keys k where k.indrelid = $1::oid and k.indisunique and k.plain
              and not exists (select from keys o where o.indrelid = $2::oid and o.indisunique and o.plain and o.columns = k.columns)), '[]') as lost_keys,
  coalesce((select json_agg(json_build_object('columns', coalesce(k.columns, '{}'), 'definition', k.definition,
                     'expression', (select i.indexprs is not null from pg_index i where i.indexrelid = k.indexrelid)) order by k.definition)
            from keys k where k.indrelid = $1::oid and k.indisunique and not k.plain
              and not exists (select from keys o where o.indrelid = $2::oid and o.indisunique
                              and substring(o.definition from ' USING .*') = substring(k.definition from ' USING .*'))), '[]') as lost_indexes,
  coalesce((select json_agg(k.definition) from keys k where k.indrelid = $1::oid and not k.indisunique
              and not exists (select from keys o where o.indrelid = $2::oid and o.columns @> k.columns)), '[]') as indexes,
  coalesce((select json_agg(json_build_object('name', p.pubname, 'owner', pg_get_userbyid(p.pubowner), 'all_tables', p.puballtables, 'via_root', p.pubviaroot,
                     'columns', to_jsonb(r) ->> 'columns', 'filter', to_jsonb(r) ->> 'filter') order by p.pubname)
            from pg_publication p left join lateral (
              select (select string_agg(quote_ident(a.attname), ', ') from pg_attribute a
                      where a.attrelid = $1::oid and a.attnum::text = any (string_to_array(to_jsonb(q) ->> 'prattrs', ' '))) as columns,
                     (select to_jsonb(v) ->> 'rowfilter' from pg_publication_tables v join pg_class c on c.oid = $1::oid
                      where v.pubname = p.pubname and v.tablename = c.relname and v.schemaname = c.relnamespace::regnamespace::text) as filter
              from pg_publication_rel q where q.prpubid = p.oid and q.prrelid = $1::oid) r on true
            where p.puballtables or exists (select from pg_publication_rel q where q.prpubid = p.oid and q.prrelid = $1::oid)), '[]') as publications,
  coalesce((select json_agg(distinct regexp_replace(pg_describe_object(d.classid, d.objid, d.objsubid), '\mpublic[.]', '', 'g'))
            from pg_class c join pg_type t on t.oid = c.reltype or t.typelem = c.reltype and t.typcategory = 'A'
            join pg_depend d on d.refclassid = 'pg_type'::regclass and d.refobjid = t.oid and d.deptype = 'n'
            where c.oid = $1::oid and d.classid in ('pg_proc'::regclass, 'pg_class'::regclass)), '[]') as row_type,
  coalesce((select json_agg(distinct regexp_replace(pg_describe_object(d.classid, d.objid, 0), '\mpublic[.]', '', 'g'))
            from pg_depend d
            where d.refclassid = 'pg_class'::regclass and d.refobjid = $1::oid and d.deptype = 'n'
              and (d.classid = 'pg_proc'::regclass
                   or d.classid = 'pg_policy'::regclass and not exists (select from pg_policy p where p.oid = d.objid and p.polrelid = $1::oid))), '[]') as bound,
  coalesce((select json_agg(w.rulename::text) from pg_rewrite w where w.ev_class = $1::oid), '[]') as rules,
  coalesce((select json_agg(json_build_object('function', regexp_replace(p.oid::regprocedure::text, '^public[.]', ''), 'columns', coalesce(m.found[1], '')))
            from pg_proc p join pg_namespace n on n.oid = p.pronamespace and n.nspname not in ('pg_catalog', 'information_schema', 'midwatch')
            cross join lateral regexp_matches(p.prosrc, '\mon\s+conflict\s*(?:\(((?:[^()]|\([^()]*\))*)\)|do\s+nothing)', 'gi') m(found)
            where p.prosrc ~* ('\minto\s+("?\w+"?\.)?"?' || regexp_replace($5, '\W', '\\\&', 'g') || '"?\M')), '[]') as conflicts,
  coalesce((select json_agg(json_build_object('function', regexp_replace(p.oid::regprocedure::text, '^public[.]', ''), 'columns', k.conname))
            from pg_proc p join pg_namespace n on n.oid = p.pronamespace and n.nspname not in ('pg_catalog', 'information_schema', 'midwatch')
            join pg_constraint k on k.conrelid = $1::oid and k.contype in ('p', 'u', 'x')
            where p.prosrc ~* ('\mon\s+conflict\s+on\s+constraint\s+"?' || regexp_replace(k.conname, '\W', '\\\&', 'g') || '\M')), '[]') as named,
  array(select k.conname::text from pg_constraint k where k.conrelid = $1::oid and k.contype in ('p', 'u', 'x')) as arbiters,
  array(select regexp_replace(v.view::regclass::text, '^public[.]', '') from readers v group by v.view having count(distinct v.side) = 2 order by 1) as readers_of_both,
  array(select distinct pg_get_userbyid(c.relowner)::text from tree t join pg_class c on c.oid = t.oid
        where t.oid <> $2::oid and c.relowner <> (select relowner from pg_class where oid = $1::oid) order by 1) as leaf_owners,
  array(select u.what from pg_class l join pg_class p on p.oid = $2::oid cross join lateral (
          select 'REPLICA IDENTITY ' || case l.relreplident when 'f' then 'FULL' when 'n' then 'NOTHING' else 'USING INDEX' end as what
          where l.relreplident <> 'd' and l.relreplident <> p.relreplident
          union all select 'storage parameter ' || o from unnest(l.reloptions) o
          union all select format('extended statistics %I', e.stxname) from pg_statistic_ext e where e.stxrelid = l.oid
          union all select format('tablespace %I', s.spcname) from pg_tablespace s where s.oid = l.reltablespace and s.oid <> p.reltablespace
          union all select format('cluster mark on %s', regexp_replace(i.indexrelid::regclass::text, '^public[.]', '')) from pg_index i where i.indrelid = l.oid and i.indisclustered
          union all select format('security label of %s', x.provider) from pg_seclabel x where x.classoid = 'pg_class'::regclass and x.objoid = l.oid
          union all select format('statistics target of column %I', a.attname) from pg_attribute a join pg_attribute b on b.attrelid = p.oid and b.attname = a.attname
            where a.attrelid = l.oid and a.attnum > 0 and coalesce(a.attstattarget, -1) not in (-1, coalesce(b.attstattarget, -1))
          union all select format('storage of column %I', a.attname) from pg_attribute a join pg_attribute b on b.attrelid = p.oid and b.attname = a.attname
            where a.attrelid = l.oid and a.attnum > 0 and a.atttypid = b.atttypid and a.attstorage <> b.attstorage) u
        where l.oid = $1::oid) as unlike
