#!/bin/sh
# test: timeout=60 needs=python3
# python3's sqlite3 module on a file, with write-ahead logging (shared memory) and two connections.
exec /usr/bin/python3 -I - << 'END'
import sqlite3
db = sqlite3.connect('t.db')
print(db.execute('pragma journal_mode=wal').fetchone())
db.execute('create table t (id integer primary key, name text, value real)')
with db:
    db.executemany('insert into t (name, value) values (?, ?)', ((f'name {i % 17}', i * 1.5) for i in range(5000)))
other = sqlite3.connect('t.db', timeout=0.1)
print(other.execute('select name, count(*), sum(value) from t group by name order by name limit 3').fetchall())
db.execute('begin immediate')
try:
    other.execute('insert into t (name) values ("x")')
except sqlite3.OperationalError as e:
    print(e)
db.rollback()
print(db.execute('pragma integrity_check').fetchone())
db.execute('create index i on t (name)')
print(db.execute('explain query plan select * from t where name = "x"').fetchall()[0][3])
other.close()
db.close()
END
