// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"

	"cosched.io/cosched/internal/ring"
)

// Process mode: the coordinator starts one worker per rank, the same program
// with these variables set. A worker dials the control address and says hello;
// when all have, each gets its assignment; at its end it sends its outcome. A
// control connection that ends early means that its other side died.
const (
	envControl = "TRAINSIM_CONTROL"
	envToken   = "TRAINSIM_TOKEN"
	envRank    = "TRAINSIM_RANK"
)

type helloMessage struct {
	Token    ring.Token
	Rank     int
	RingAddr string
}

type assignMessage struct {
	Config   trainConfig
	CommID   uint64
	NextAddr string
}

type outcomeMessage struct {
	Result *rankResult
	Error  string /* empty: Result is there */
	Echo   bool   /* Error only reflects the end of another rank */
}

const (
	/* How long all workers may take to say hello. */
	helloTimeout = 60 * time.Second
	/* How long the ring may take to collapse after a rank has failed. */
	collapseTimeout = 2 * time.Second
)

// worker is the coordinator's view of a rank's process.
type worker struct {
	rank    int
	cmd     *exec.Cmd
	control *json.Decoder
	conn    net.Conn
	addr    string        /* of its ring endpoint */
	exited  chan struct{} /* closed after exit */
	exitErr error         /* how, valid after exited */
}

// runProcesses runs each rank as a process. No process outlives the call.
func (j *job) runProcesses(ctx context.Context) ([]*rankResult, error) {
	control, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	defer control.Close()
	ctx, cancel := context.WithCancel(ctx)
	workers, err := j.startWorkers(ctx, control.Addr().String())
	defer func() {
		cancel() /* kills those that still run */
		for _, w := range workers {
			<-w.exited
			if w.conn != nil {
				w.conn.Close()
			}
		}
	}()
	if err != nil {
		return nil, err
	}
	if err := j.greet(ctx, control, workers); err != nil {
		return nil, err
	}
	if err := j.assign(workers); err != nil {
		return nil, err
	}
	return collect(ctx, workers)
}

func (j *job) startWorkers(ctx context.Context, control string) ([]*worker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var workers []*worker
	for rank := range j.cfg.Ranks {
		cmd := exec.CommandContext(ctx, self)
		cmd.Env = append(os.Environ(), envControl+"="+control,
			fmt.Sprintf("%s=%x", envToken, j.token), envRank+"="+strconv.Itoa(rank))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			return workers, &rankError{rank, err}
		}
		w := &worker{rank: rank, cmd: cmd, exited: make(chan struct{})}
		workers = append(workers, w)
		go func() {
			w.exitErr = cmd.Wait()
			close(w.exited)
		}()
	}
	return workers, nil
}

// greet waits until every worker has said hello, or one has died.
func (j *job) greet(ctx context.Context, control *net.TCPListener, workers []*worker) error {
	ctx, cancel := context.WithTimeoutCause(ctx, helloTimeout,
		fmt.Errorf("not all ranks started within %v", helloTimeout))
	defer cancel()
	greeted := make(chan error, 1)
	go func() { greeted <- j.acceptWorkers(control, workers) }()
	died := make(chan *worker, len(workers))
	for _, w := range workers {
		go func() {
			select {
			case <-w.exited:
				died <- w
			case <-ctx.Done():
			}
		}()
	}
	var err error
	select {
	case err = <-greeted:
		return err
	case w := <-died:
		err = &rankError{w.rank, w.death()}
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	control.Close()
	<-greeted /* it touches the workers until it ends */
	return err
}

func (j *job) acceptWorkers(control *net.TCPListener, workers []*worker) error {
	for missing := len(workers); missing > 0; {
		conn, err := control.Accept()
		if err != nil {
			return err
		}
		var hello helloMessage
		decoder := json.NewDecoder(conn)
		conn.SetReadDeadline(time.Now().Add(helloTimeout / 4))
		err = decoder.Decode(&hello)
		if err != nil || subtle.ConstantTimeCompare(hello.Token[:], j.token[:]) != 1 ||
			hello.Rank < 0 || hello.Rank >= len(workers) ||
			workers[hello.Rank].conn != nil {
			conn.Close() /* a stranger */
			continue
		}
		conn.SetReadDeadline(time.Time{})
		w := workers[hello.Rank]
		w.conn, w.control, w.addr = conn, decoder, hello.RingAddr
		missing--
	}
	return nil
}

func (j *job) assign(workers []*worker) error {
	for i, w := range workers {
		err := json.NewEncoder(w.conn).Encode(assignMessage{
			Config: *j.cfg, CommID: j.commID,
			NextAddr: workers[(i+1)%len(workers)].addr,
		})
		if err != nil {
			return &rankError{w.rank, err}
		}
	}
	return nil
}

// collect gathers the outcome of each worker. After a failure the others get a
// moment to end by themselves, so that the cause is found whatever its echo's
// order of arrival; a cause that is known at once ends the wait.
func collect(ctx context.Context, workers []*worker) ([]*rankResult, error) {
	ended := make(chan outcome, len(workers))
	for _, w := range workers {
		go func() {
			result, err := w.outcome()
			ended <- outcome{w.rank, result, err}
		}()
	}
	results := make([]*rankResult, len(workers))
	var outcomes []outcome
	var collapse <-chan time.Time
	for range workers {
		select {
		case o := <-ended:
			outcomes = append(outcomes, o)
			results[o.rank] = o.result
			if o.err != nil && !isSecondary(o.err) {
				return nil, firstCause(outcomes)
			}
			if o.err != nil && collapse == nil {
				collapse = time.After(collapseTimeout)
			}
		case <-collapse:
			return nil, firstCause(outcomes)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return results, firstCause(outcomes)
}

// outcome waits for what the worker reports, or for its death.
func (w *worker) outcome() (*rankResult, error) {
	var m outcomeMessage
	if err := w.control.Decode(&m); err != nil {
		<-w.exited
		return nil, w.death()
	}
	switch {
	case m.Echo:
		return nil, &ring.PeerError{Err: errors.New(m.Error)}
	case m.Error != "":
		return nil, errors.New(m.Error)
	}
	return m.Result, nil
}

// death describes a worker that exited without a word.
func (w *worker) death() error {
	how := "exit status 0"
	if w.exitErr != nil {
		how = w.exitErr.Error()
	}
	return fmt.Errorf("process %d died: %s", w.cmd.Process.Pid, how)
}
