-- What a type's definition says is an administrator's text, not a row's.
SELECT s, k FROM shop.spelled
SELECT enum_range(s) FROM shop.spelled
SELECT enum_range(NULL::shop.said)
SELECT enum_last(NULL::shop.said), enum_first(free) FROM shop.spelled
SELECT enum_range(free, NULL) FROM shop.spelled
SELECT max(s), s > 'calm' FROM shop.spelled GROUP BY s
