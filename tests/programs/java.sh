#!/bin/sh
# test: timeout=90 needs=java,javac prepare corners
# java: -version, and threads with the compilers at work: pools, monitors, atomics, a queue, a null pointer, a child, a collection.
# Under the front-end ptrace the virtual machine makes some ten thousand stops.
if [ "${1-}" != prepare ]; then
	java -Xshare:auto -version
	java -Xmx64m -cp "$MV_TEST_PREPARED" Small
	echo "status $?"
	exit
fi
cat > Small.java << 'END'
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;

public class Small {
	static int fib(int n) {
		return n < 2 ? n : fib(n - 1) + fib(n - 2);
	}

	public static void main(String[] args) throws Exception {
		ExecutorService pool = Executors.newFixedThreadPool(4);
		List<Future<Integer>> futures = new ArrayList<>();
		for (int i = 0; i < 16; i++) {
			final int k = i;
			futures.add(pool.submit(() -> fib(15 + k % 4)));
		}
		long sum = 0;
		for (Future<Integer> f : futures)
			sum += f.get();
		System.out.println("pool " + sum);
		pool.shutdown();
		System.out.println(pool.awaitTermination(20, TimeUnit.SECONDS));

		AtomicInteger atomic = new AtomicInteger();
		Object lock = new Object();
		int[] locked = { 0 };
		Thread[] threads = new Thread[4];
		for (int i = 0; i < threads.length; i++) {
			threads[i] = new Thread(() -> {
				for (int j = 0; j < 1000; j++) {
					atomic.incrementAndGet();
					synchronized (lock) {
						locked[0]++;
					}
				}
			});
			threads[i].start();
		}
		for (Thread t : threads)
			t.join();
		System.out.println("threads " + atomic + " " + locked[0]);

		BlockingQueue<Integer> queue = new ArrayBlockingQueue<>(2);
		new Thread(() -> {
			try {
				for (int i = 0; i < 100; i++)
					queue.put(i);
				queue.put(-1);
			} catch (InterruptedException e) {
				System.out.println(e);
			}
		}).start();
		int got, total = 0;
		while ((got = queue.take()) >= 0)
			total += got;
		System.out.println("queue " + total);

		try {
			Object nothing = null;
			nothing.hashCode();
		} catch (NullPointerException e) {
			System.out.println("null");
		}
		Process child = new ProcessBuilder("sh", "-c", "echo child; exit 4").start();
		System.out.print(new String(child.getInputStream().readAllBytes()));
		System.out.println(child.waitFor());
		System.gc();
		System.exit(6);
	}
}
END
exec javac -J-Xshare:auto Small.java
