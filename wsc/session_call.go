package wsc

import (
	"context"
	"errors"
	"net"
)

// Call calls a service with a token of the Session, as [Client.Call] does. Of several
// endpoints the next one is called when the one before did nothing with the message: no
// connection came about, or it answered with one of the four codes on which the platform's
// connectors switch.
func (s *Session) Call(ctx context.Context, endpoints []string, action string, body []byte) (answer []byte, err error) {
	err = s.inTurn(ctx, endpoints, func(endpoint string, token *Token) error {
		answer, err = s.config.Client.Call(ctx, endpoint, action, token, body)
		return err
	})
	return answer, err
}

// Relay sends a message of another program with a token of the Session, as
// [Client.Relay] does, to the endpoints in turn as Call does. What the last one answered is
// returned.
func (s *Session) Relay(ctx context.Context, endpoints []string, action string, message []byte) (*Answer, error) {
	var answer *Answer
	err := s.inTurn(ctx, endpoints, func(endpoint string, token *Token) error {
		next, err := s.config.Client.Relay(ctx, endpoint, action, token, message)
		if err != nil {
			return err
		}
		answer = next
		if fault, ok := next.Fault(); ok {
			return fault
		}
		return nil
	})
	var fault *Fault
	if answer != nil && (err == nil || errors.As(err, &fault)) {
		return answer, nil
	}
	return nil, err
}

// inTurn tries endpoints until one of them may have done something.
func (s *Session) inTurn(ctx context.Context, endpoints []string, try func(string, *Token) error) error {
	if len(endpoints) == 0 {
		return refuse(BadEndpoint, "none")
	}
	var failed attempts
	for _, endpoint := range endpoints {
		token, err := s.Token(ctx)
		if err != nil {
			return err
		}
		if err = try(endpoint, token); err == nil {
			return nil
		}
		if len(endpoints) > 1 {
			err = &endpointError{endpoint, err}
		}
		failed = append(failed, err)
		if !undone(err) {
			break
		}
	}
	return failed.err()
}

// undone reports that a service did nothing with a message.
func undone(err error) bool {
	var fault *Fault
	if errors.As(err, &fault) {
		return fault.ElsewhereMaySucceed()
	}
	var op *net.OpError
	return ReasonOf(err) == Unreachable && errors.As(err, &op) && op.Op == "dial"
}
