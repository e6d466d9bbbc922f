#!/bin/sh
# test: needs=sqlite3 heap
# sqlite3 with a file database: transactions, roll-back, dump and reload.
set -e
sqlite3 a.db << 'END'
create table t (id integer primary key, text, n);
begin;
with recursive c(x) as (select 1 union all select x + 1 from c where x < 3000)
insert into t select x, 'row ' || x, x * x % 97 from c;
commit;
begin; delete from t; rollback;
select count(*), sum(n), max(text) from t;
create index tn on t (n);
select n, count(*) from t group by n order by 2 desc, 1 limit 3;
pragma integrity_check;
vacuum;
END
sqlite3 a.db .dump > dump.sql
cksum dump.sql
sqlite3 b.db < dump.sql
sqlite3 b.db 'select count(*) from t'
sqlite3 b.db 'select * from missing' || echo "status $?"
sqlite3 :memory: 'select 6 * 7, hex(zeroblob(4)), length(randomblob(8))'
