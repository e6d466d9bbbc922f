/*
 * Sleeping and waking in the engine's words (README.md).  A leader writes RECORDS records into a ring of RING; two
 * followers read all of them, and act on them in turns, as siblings do.  Sleeps have no timeout here, and neither have
 * naps: whoever is forgotten sleeps for ever, and that is an invalid end state.
 *
 * OMIT takes one step out of the protocol; 0 takes out none.
 */
#ifndef OMIT
#define OMIT 0
#endif

/* So many of the followers nap. */
#ifndef NAPPING
#define NAPPING 0
#endif
/* One follower without siblings, whose agreement to the last record the leader waits for, more than one record ahead. */
#ifndef ALONE
#define ALONE 0
#endif
#ifndef RECORDS
#define RECORDS (2 + ALONE)
#define RING (1 + ALONE)
#endif

/* The words, each with a count of those who were about to sleep; and of those who were about to nap on the first. */
#define COMMITS 0
#define TURNS 1
#define MOVES 2			/* + follower */
#define WORDS 4
byte word[WORDS], sleepers[WORDS], naps;

/* struct mv_waker, of process me for word w: [me * WORDS + w]; and the leader's for naps. */
#define NAPS 12
byte last[13], woken[13];

/* What the words are about. */
byte head, tail[2], done;

/* Where the leader wants a follower to be before it is woken; of two followers it is told of every step. */
byte wanted[2];

/* The kernel: which word a process sleeps on. */
#define AWAKE 9
#define LEADER 2		/* followers are 0 and 1 */
byte asleep[3] = AWAKE;

/* The comparison and going to sleep are one step: the kernel holds the futex's bucket. */
inline futex_wait(w, value)
{
	atomic {
		if
		:: word[w] == value || OMIT == 5 -> asleep[me] = w
		:: else
		fi
	}
	asleep[me] == AWAKE
}

inline futex_wake(w)
{
	atomic {
		if :: asleep[0] == w -> asleep[0] = AWAKE :: else fi;
		if :: asleep[1] == w -> asleep[1] = AWAKE :: else fi;
		if :: asleep[2] == w -> asleep[2] = AWAKE :: else fi
	}
}

/* mv_word_bump(), where the state changes; the writer looks at the sleepers when its retry is over. */
inline bump(w)
{
	if
	:: OMIT == 1
	:: OMIT == 4 -> atomic { seen = sleepers[w]; early = true }; word[w]++
	:: else -> word[w]++
	fi
}

inline wake_if_new(w, waker)
{
	if
	:: seen != woken[waker] ->
		if
		:: seen == last[waker] || OMIT == 9 -> woken[waker] = seen
		:: else
		fi;
		last[waker] = seen;
		futex_wake(w)
	:: else
	fi
}

inline wake(w)
{
	if
	:: early
	:: else -> seen = sleepers[w]
	fi;
	wake_if_new(w, me * WORDS + w);
	early = false
}

/* A follower's, whose leader may wait for more than that. */
inline wake_leader()
{
	if
	:: tail[me] >= wanted[me] -> wake(MOVES + me)
	:: else -> early = false
	fi
}

/* The leader's, after a commit: those who nap are left alone as long as there is much room, and more to come. */
#define CROWDED (2 * (head - tail[0]) > RING || 2 * (head - tail[1]) > RING)
inline wake_napping()
{
	if
	:: NAPPING && (CROWDED || head == RECORDS) && OMIT != 10 ->
		seen = naps;
		wake_if_new(COMMITS, NAPS)
	:: else
	fi
}

inline sleep(w, value)
{
	if
	:: w == COMMITS && me < NAPPING -> naps++
	:: else -> if :: OMIT != 3 -> sleepers[w]++ :: else fi
	fi;
	if
	:: word[w] == value || OMIT == 5 -> futex_wait(w, value)
	:: else
	fi
}

/* Who keeps the leader from going on, in the engine's order. */
#define LAST (head == RECORDS)
#define WANTS (LAST -> head : head + 1 - RING)
#define FULL(i) (LAST -> ALONE && !i && tail[i] < head : (!ALONE || !i) && head - tail[i] >= RING)
#define NOBODY 8
#if OMIT == 8
#define BLOCKER (tail[0] <= tail[1] -> MOVES : MOVES + 1)
#else
#define BLOCKER (FULL(0) -> MOVES : (FULL(1) -> MOVES + 1 : NOBODY))
#endif

proctype leader()
{
	byte me = LEADER, w, now, value, seen;
	bool early;

	do
	:: LAST && !FULL(0) && !FULL(1) -> break
	:: else ->
		w = BLOCKER;
		if
		:: w != NOBODY ->
			if :: ALONE -> wanted[0] = WANTS + (OMIT == 11) :: else fi;
			value = word[w]
		:: else
		fi;
		if
		:: !LAST && !FULL(0) && !FULL(1) ->
			head++;
			bump(COMMITS);
			wake(COMMITS);
			wake_napping()
		:: else ->
			now = BLOCKER;
			if :: OMIT == 2 && w != NOBODY -> value = word[w] :: else fi;
			if
			:: now == w && w != NOBODY -> sleep(w, value)
			:: else
			fi
		fi;
		atomic { w = 0; now = 0; value = 0; seen = 0 }
	od
}

#define WAITS_FOR (turn -> TURNS : COMMITS)

proctype follower(byte me)
{
	byte w, now, value, seen;
	bool turn, parked, ate, acted, early;

	do
	:: tail[me] == RECORDS && !turn -> break
	:: else ->
		w = WAITS_FOR;
		value = word[w];

		/* The retry, which goes as far as it can: it may begin at one word and park at the other. */
		if
		:: !turn && tail[me] < head ->
			turn = !ALONE && (tail[me] + 1) % 2 == me;
			tail[me]++;
			bump(MOVES + me);
			if
			:: OMIT == 4 -> wake_leader()
			:: else -> ate = true
			fi
		:: !turn && tail[me] >= head -> parked = true
		:: turn
		fi;
		if
		:: turn && done + 1 == tail[me] ->
			done++;
			turn = false;
			bump(TURNS);
			if
			:: OMIT == 4 -> wake(TURNS)
			:: else -> acted = true
			fi
		:: turn && done + 1 != tail[me] -> parked = true
		:: !turn
		fi;

		if :: ate && OMIT != 7 -> wake_leader() :: else fi;
		if :: acted -> wake(TURNS) :: else fi;

		now = WAITS_FOR;
		if :: OMIT == 2 -> value = word[now] :: else fi;
		if
		:: parked && (now == w || OMIT == 6) -> sleep(w, value)
		:: else
		fi;
		atomic { w = 0; now = 0; value = 0; seen = 0; parked = false; ate = false; acted = false }
	od
}

init
{
	atomic {
		run follower(0);
		if :: !ALONE -> run follower(1) :: else fi;
		run leader()
	}
}
