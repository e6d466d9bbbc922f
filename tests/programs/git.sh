#!/bin/sh
# test: timeout=90 needs=git heap corners
# git: init, add, commit, branch, merge, log, diff, gc, clone, stash; dates fixed.
set -e
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org
export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-02T00:00:00Z'
export GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat
# One thread: threads that work concurrently belong to issue 4.
export GIT_CONFIG_COUNT=3 GIT_CONFIG_KEY_0=grep.threads GIT_CONFIG_VALUE_0=1 GIT_CONFIG_KEY_1=pack.threads GIT_CONFIG_VALUE_1=1
export GIT_CONFIG_KEY_2=index.threads GIT_CONFIG_VALUE_2=1
git init -q -b main repo
cd repo
for i in 1 2 3; do
	seq 1 $((i * 100)) > file$i
	git add .
	git commit -q -m "commit $i"
done
git log --stat --format='%H %an %s'
git checkout -q -b side HEAD~1
echo side > side
git add side
git commit -q -m side
git checkout -q main
git merge -q --no-edit side
git log --graph --oneline
echo change >> file1
git diff
git stash -q
git status --short --branch
git gc -q
git fsck
cd ..
git clone -q repo copy 2> /dev/null
cd copy
git rev-parse HEAD HEAD^2
git show HEAD:side
git tag -l
git blame -s side
git grep -c 99
