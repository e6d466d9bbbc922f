#!/bin/sh
# test: timeout=60 needs=python3 heap
# python3: subprocess, os.fork, signals, multiprocessing, pty.
# No Pool and no Queue: they have threads, which take turns by the clock, and locks in shared files; both until issue 4.
exec /usr/bin/python3 -I - << 'END'
import multiprocessing, os, pty, select, signal, subprocess, sys
print(subprocess.run(['echo', 'hello'], capture_output=True, text=True))
print(subprocess.run('cat; exit 3', shell=True, input=b'in' * 50000, stdout=subprocess.PIPE).returncode)
p1 = subprocess.Popen(['seq', '1000'], stdout=subprocess.PIPE)
p2 = subprocess.Popen(['sort', '-r'], stdin=p1.stdout, stdout=subprocess.PIPE)
p1.stdout.close()
print(len(p2.communicate()[0]), p1.wait())
try:
    subprocess.run(['sleep', '10'], timeout=0.3)
except subprocess.TimeoutExpired as e:
    print('timeout', round(e.timeout, 2))
try:
    subprocess.run(['no-such-program'])
except FileNotFoundError as e:
    print(e)
p = subprocess.Popen(['sleep', '10'])
p.terminate()
print(p.wait())
pid = os.fork()
if pid == 0:
    os._exit(9)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
got = []
signal.signal(signal.SIGUSR1, lambda s, f: got.append(s))
os.kill(os.getpid(), signal.SIGUSR1)
print(got == [signal.SIGUSR1])
def square(x):
    return x * x
ctx = multiprocessing.get_context('fork')
def serve(end):
    while (x := end.recv()) is not None:
        end.send(square(x))
    end.send('from child')
mine, its = ctx.Pipe()
child = ctx.Process(target=serve, args=(its,))
child.start()
answers = []
for x in range(20):
    mine.send(x)
    answers.append(mine.recv())
mine.send(None)
print(answers, mine.recv())
child.join(10)
print(child.exitcode, child.is_alive())
sys.stdout.flush()
pid, fd = pty.fork()
if pid == 0:
    os.execlp('sh', 'sh', '-c', 'test -t 0 && test -t 1 && echo a terminal; stty size')
data = b''
while True:
    try:
        more = os.read(fd, 1000)
    except OSError:
        break
    if not more:
        break
    data += more
print(data, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
