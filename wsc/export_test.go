package wsc

// Judge judges an answer as Token does, without a message and a server.
func (c *Client) Judge(answer []byte, credentials *Credentials, request *Request) (*Token, error) {
	q, err := c.query(credentials, request)
	if err != nil {
		return nil, err
	}
	return c.answer(&exchange{status: 200, answer: answer}, q)
}
