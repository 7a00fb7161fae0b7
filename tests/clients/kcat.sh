#!/usr/bin/env bash
# kcat asks a broker a fixed list of questions, as people do at a shell.
# usage: kcat.sh ADDRESS PREFIX     the topics PREFIXplain (1 partition) and PREFIXkeyed (3) exist and are empty
# Prints answers without names, times and addresses: those of two brokers that agree are equal. See tests/tests/clients.rs.
set -euo pipefail
address=$1 prefix=$2
plain=${prefix}plain keyed=${prefix}keyed

ask() { kcat -b "$address" -q "$@"; }
read_all() { ask -C -o beginning -e -f '%p %o key=%k (%K) %s (%S) headers=%h\n' "$@"; }
without_names() { sed -e "s/$prefix//g" -e "s/$address/ADDRESS/g"; }

echo "# topics"
ask -L -t "$plain" | without_names | grep -v 'Metadata for'
ask -L -t "$keyed" | without_names | grep topic
ask -L -t "${prefix}none" -X allow.auto.create.topics=false | without_names | grep topic

echo "# records in every codec, with keys, headers, tombstones and no key"
for codec in none gzip snappy lz4 zstd; do
  printf 'key:%s one\nkey:%s two\n' "$codec" "$codec" | ask -P -t "$plain" -K: -z "$codec" -H "codec=$codec" -H again=1 -H again=2
done
printf 'gone:\n' | ask -P -t "$plain" -K: -Z
printf 'without a key\n' | ask -P -t "$plain"
head -c 200000 /dev/zero | tr '\0' x | ask -P -t "$plain" -X acks=all -X enable.idempotence=true
read_all -t "$plain" | sed -E 's/x{100,}/many x/'

echo "# one offset, the last two, the ends"
ask -C -t "$plain" -o 3 -c 1
ask -C -t "$plain" -o -3 -c 2 -e
ask -Q -t "$plain:0:-2" | without_names
ask -Q -t "$plain:0:-1" | without_names

echo "# keys choose partitions, and each key keeps its order"
seq 1 30 | awk '{ print "k" $1 % 7 ":" $1 }' | ask -P -t "$keyed" -K:
read_all -t "$keyed" | sort -n -k1,1 -k2,2

echo "# a group reads all, then only what is new"
group() { ask -G "${prefix}group" -X auto.offset.reset=earliest -X session.timeout.ms=6000 -e -f '%p %o %s\n' "$keyed" | sort -n; }
group | wc -l
group | wc -l
echo k1:late | ask -P -t "$keyed" -K:
group

echo "# mistakes"
echo lost | ask -P -t "$keyed" -p 9 2>&1 | without_names || echo "exit $?"
ask -C -t "${prefix}none" -X allow.auto.create.topics=false -e 2>&1 | without_names || echo "exit $?"
