-- Views, through any depth and in any shape.
SELECT * FROM shop.v_renamed
SELECT * FROM shop.v_star
SELECT * FROM shop.v_join
SELECT * FROM shop.v_using
SELECT * FROM shop.v_natural
SELECT * FROM shop.v_union ORDER BY id, said
SELECT * FROM shop.v_except
SELECT * FROM shop.v_with
SELECT * FROM shop.v_recursive
SELECT * FROM shop.v_derived
SELECT * FROM shop.v_lateral
SELECT * FROM shop.v_scalar
SELECT * FROM shop.v_exists
SELECT * FROM shop.v_case
SELECT * FROM shop.v_bool
SELECT * FROM shop.v_aggregate
SELECT * FROM shop.v_window ORDER BY id
SELECT * FROM shop.v_values
SELECT * FROM shop.v_row
SELECT (whole).ssn, (pair).a, doc ->> 'ssn' FROM shop.v_row
SELECT * FROM shop.v_array
SELECT * FROM shop.v_cast
SELECT * FROM shop.v_generated
SELECT * FROM shop.v_only
SELECT * FROM shop.v_partition
SELECT * FROM shop.v_coalesce
SELECT * FROM shop.v_srf
SELECT * FROM shop.v_srf_from
SELECT * FROM shop.v_record
SELECT a.a, b.b, c.c, d.d FROM shop.v_deep_1 AS a, shop.v_deep_2 AS b, shop.v_deep_3 AS c, shop.v_deep_4 AS d WHERE a.id = b.id AND b.id = c.id AND c.id = d.id
SELECT id FROM shop.v_deep_4 WHERE d LIKE '%Q%' OR e > 12 ORDER BY d, id
SELECT open, ssn FROM shop.v_swapped
SELECT * FROM shop.v_barrier
SELECT * FROM shop.v_invoker
SELECT * FROM shop.v_kinds
SELECT id FROM shop.v_kinds WHERE text > 'txt m' OR number > 7391500000000 OR first LIKE 'q%' ORDER BY inside, id
SELECT v FROM shop.v_renamed AS v
SELECT to_jsonb(v) FROM shop.v_deep_3 AS v
SELECT label FROM shop.v_renamed ORDER BY label, number
SELECT id FROM shop.v_window ORDER BY place, before, id
SELECT which, count(*) FROM shop.v_case GROUP BY which
SELECT bigger, count(*) FROM shop.v_bool GROUP BY bigger
SELECT count(*) FROM shop.v_exists WHERE found
-- Materialized views, and views on them.
SELECT * FROM shop.m_copy
SELECT q FROM shop.m_copy ORDER BY q, id
SELECT * FROM shop.m_of_view
SELECT * FROM shop.m_union
SELECT * FROM shop.v_of_m WHERE r LIKE '%q%'
SELECT m FROM shop.m_copy AS m
-- Functions that read what is masked, and views on them.
SELECT shop.parsed(1)
SELECT parsed(id) FROM shop.links
SELECT v.dossier FROM shop.vault AS v
SELECT shop.dossier(v) FROM shop.vault AS v
SELECT shop.peek_blindly()
SELECT * FROM shop.v_parsed
SELECT * FROM shop.v_dossier
-- Partitions, read directly, through the parent, and by the bound that only an administrator knows.
SELECT * FROM shop.parted
SELECT * FROM shop.parted_eu
SELECT * FROM shop.parted_us
SELECT * FROM shop.parted_us_low
SELECT * FROM ONLY shop.parted_us_rest
SELECT * FROM ONLY shop.parted
SELECT region, max(ssn) FROM shop.parted GROUP BY region
SELECT * FROM shop.parted WHERE region = 'us' AND id = 2 AND ssn LIKE '%q%'
SELECT ssn, count(*) FROM shop.sealed GROUP BY ssn
SELECT count(*) FROM shop.sealed WHERE ssn = 'quet' || 'zal a'
SELECT * FROM shop.sealed_a
SELECT tableoid, ssn FROM shop.sealed
SELECT a.id FROM shop.sealed_a AS a JOIN shop.sealed AS s USING (id, ssn)
-- Inheritance, up and down.
SELECT * FROM shop.heir
SELECT * FROM shop.heir_of_heir
SELECT * FROM shop.tagged
SELECT ssn, loud FROM shop.ledger WHERE id > 100
SELECT ssn FROM ONLY shop.heir
SELECT * FROM ONLY shop.ledger WHERE ssn LIKE '%q%'
SELECT extra, ssn FROM shop.vault_child
-- Foreign tables, where the condition may travel to another server and its error come back.
SELECT * FROM shop.far
SELECT id FROM shop.far WHERE ssn LIKE 'no q%' ORDER BY ssn
SELECT ssn::integer FROM shop.far
SELECT id FROM shop.far WHERE salary > 7391500
SELECT max(ssn), min(salary), count(*) FROM shop.far
SELECT f::text FROM shop.far AS f
SELECT * FROM shop.far_wrong
SELECT id FROM shop.far_wrong WHERE ssn > 0
SELECT * FROM shop.v_far
SELECT f.ssn, v.ssn FROM shop.far AS f JOIN shop.vault AS v ON v.ssn = f.ssn
SELECT * FROM shop.near_and_far
SELECT * FROM shop.near_and_far_1
-- A row-level policy, a foreign key, a generated column, and the masks on both ends of each.
SELECT * FROM shop.guarded
SELECT id FROM shop.guarded WHERE ssn < 'no m'
SELECT * FROM shop.referring
SELECT r.id, v.id FROM shop.referring AS r JOIN shop.vault AS v USING (email)
SELECT id FROM shop.ledger WHERE loud = upper('no quet' || 'zal11')
SELECT loud, lower(loud) = ssn FROM shop.ledger
-- What is refused for a masked relation, whoever asks and however.
SELECT ssn FROM shop.vault TABLESAMPLE bernoulli (50) REPEATABLE (1)
SELECT v.ctid, v.ssn FROM shop.vault AS v ORDER BY v.ctid
SELECT xmin, cmin, xmax, cmax FROM shop.vault
SELECT v.tableoid FROM shop.vault AS v
SELECT id, count(*) OVER (ORDER BY ctid) FROM shop.kinds
SELECT ssn FROM shop.vault FOR SHARE
SELECT ssn INTO shop.copied FROM shop.vault
-- What a catalog keeps of values.
SELECT most_common_vals, histogram_bounds FROM pg_catalog.pg_stats WHERE tablename IN ('vault', 'kinds')
SELECT stavalues1 FROM pg_statistic
SELECT most_common_vals FROM pg_stats_ext
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef
SELECT pg_get_constraintdef(oid) FROM pg_constraint
SELECT pg_get_indexdef('shop.kinds_partial_idx'::regclass), pg_get_viewdef('shop.v_exists')
SELECT pg_get_partkeydef('shop.sealed'::regclass), pg_get_expr(relpartbound, oid) FROM pg_class
SELECT check_clause FROM information_schema.check_constraints
SELECT view_definition FROM information_schema.views
SELECT definition FROM pg_views
SELECT qual FROM pg_policies
SELECT indexdef FROM pg_indexes
SELECT pg_get_functiondef(oid) FROM pg_proc
SELECT prosrc FROM pg_proc WHERE proname = 'peek'
SELECT enumlabel FROM pg_enum
SELECT umoptions FROM pg_user_mappings
SELECT query FROM pg_stat_activity
SELECT col_description('shop.vault'::regclass, 4), obj_description('shop.vault'::regclass)
SELECT pg_relation_size('shop.vault'), pg_stat_get_live_tuples('shop.vault'::regclass)
SELECT lo_get(1), pg_read_file('PG_VERSION')
SELECT pg_sequence_last_value('shop.s'::regclass), currval('shop.s')
