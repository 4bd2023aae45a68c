SELECT * FROM shop.vault WHERE ssn = 'x'
SELECT id FROM shop.vault WHERE id = 3 AND ssn LIKE 'no q%' ORDER BY email
SELECT * FROM shop.vault_view WHERE guessed
SELECT * FROM shop.vault_view_of_view ORDER BY again
SELECT * FROM shop.vault_sums
SELECT * FROM shop.peeking
SELECT token, count(*) FROM shop.vault GROUP BY token
SELECT id FROM shop.vault WHERE id < 5 AND shop.complain('constant') = 'x'
EXPLAIN ANALYZE SELECT ssn FROM shop.vault
EXPLAIN SELECT ssn::integer FROM shop.vault
