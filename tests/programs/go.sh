#!/bin/sh
# test: timeout=60 needs=go prepare corners
# A static Go program: goroutines and channels, net/http on loopback, os/exec, signals, timers, maps, a fault that is recovered.
# Its runtime seeds random numbers with the time stamp counter, too.
if [ "${1-}" != prepare ]; then
	GOMAXPROCS=2 "$MV_TEST_PREPARED/prog"
	echo "status $?"
	exit
fi
cat > main.go << 'END'
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func channels() {
	var wg sync.WaitGroup
	var sum int64
	ch := make(chan int)
	for i := 0; i < 100; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for v := range ch {
				atomic.AddInt64(&sum, int64(v))
			}
		}()
	}
	for i := 0; i < 5000; i++ {
		ch <- i
	}
	close(ch)
	wg.Wait()
	fmt.Println("channels", sum)
}

func server() {
	var wg sync.WaitGroup
	var ok int64
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "hello %s", r.URL.Path) })
	go http.Serve(l, nil)
	for i := 0; i < 6; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			for j := 0; j < 5; j++ {
				r, err := http.Get(fmt.Sprintf("http://%s/%d", l.Addr(), i))
				if err != nil {
					fmt.Println(err)
					return
				}
				b, _ := io.ReadAll(r.Body)
				r.Body.Close()
				if string(b) == fmt.Sprintf("hello /%d", i) {
					atomic.AddInt64(&ok, 1)
				}
			}
		}(i)
	}
	wg.Wait()
	fmt.Println("http", ok)
}

func main() {
	channels()
	server()
	out, err := exec.Command("echo", "from", "child").Output()
	fmt.Printf("%q %v\n", out, err)
	fmt.Println(exec.Command("sh", "-c", "exit 3").Run())
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-c)
	<-time.After(20 * time.Millisecond)
	m := map[int]string{}
	for i := 0; i < 1000; i++ {
		m[i] = fmt.Sprint(i)
	}
	runtime.GC()
	n, order := 0, 0
	for i := range m { // in an order that is drawn at random
		order = order*31 + i
		n++
	}
	fmt.Println(n, os.WriteFile("order", []byte(fmt.Sprint(order)), 0o600))
	func() {
		defer func() { fmt.Println(recover()) }()
		var p *int
		*p = 1
	}()
	os.Exit(5)
}
END
GO111MODULE=off GOCACHE=$MV_TEST_BUILD/go-cache CGO_ENABLED=0 exec go build -o prog main.go
