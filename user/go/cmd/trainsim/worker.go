// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"cosched.io/cosched/internal/collective"
	"cosched.io/cosched/internal/ring"
)

// runWorker is the main function of a rank's process. What goes wrong is
// reported to the coordinator, which prints it; an error is returned only where
// that is impossible.
func runWorker() error {
	/* A terminal sends SIGINT to all: the coordinator decides what it means. */
	signal.Ignore(syscall.SIGINT)
	hello, err := helloFromEnv()
	if err != nil {
		return err
	}
	endpoint, err := ring.Listen()
	if err != nil {
		return err
	}
	defer endpoint.Close()
	hello.RingAddr = endpoint.Addr()
	conn, err := net.Dial("tcp4", os.Getenv(envControl))
	if err != nil {
		return err
	}
	defer conn.Close()
	decoder, encoder := json.NewDecoder(conn), json.NewEncoder(conn)
	if err := encoder.Encode(hello); err != nil {
		return err
	}
	var assign assignMessage
	if err := decoder.Decode(&assign); err != nil {
		return nil /* the coordinator is gone, and has said why */
	}
	go func() {
		/* Nothing more comes but the coordinator's end: then end too. */
		_ = decoder.Decode(&assignMessage{})
		os.Exit(exitFailed)
	}()
	result, err := workRank(&assign, hello, endpoint)
	message := outcomeMessage{Result: result}
	if err != nil {
		message = outcomeMessage{Error: err.Error(), Echo: isSecondary(err)}
	}
	return encoder.Encode(message)
}

func helloFromEnv() (*helloMessage, error) {
	hello := &helloMessage{}
	token, err := hex.DecodeString(os.Getenv(envToken))
	if err != nil || len(token) != len(hello.Token) {
		return nil, fmt.Errorf("%s: not a token", envToken)
	}
	copy(hello.Token[:], token)
	hello.Rank, err = strconv.Atoi(os.Getenv(envRank))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", envRank, err)
	}
	return hello, nil
}

func workRank(assign *assignMessage, hello *helloMessage, e *ring.Endpoint) (_ *rankResult, err error) {
	cfg := &assign.Config
	var device *collective.Device
	if cfg.Announce != announceOff {
		if device, err = collective.Open(); err != nil {
			return nil, err
		}
		defer device.Close()
	}
	comm, err := join(device, cfg, assign.CommID, hello.Rank)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, comm.Leave()) }()
	r, err := e.Connect(context.Background(), hello.Rank, cfg.Ranks, assign.NextAddr, hello.Token)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return trainRank(cfg, hello.Rank, r, comm)
}
