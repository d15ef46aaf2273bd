// A server of the Centrifuge protocol as its authors' own library makes it, to measure beside ours
// with the same generator, and to show that the generator speaks the protocol and not our dialect.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/google/uuid"
)

// What is kept of a channel: as much as ours gives back.
const (
	historySize = 1000
	historyTTL  = time.Hour
)

var followed = centrifuge.SubscribeOptions{EnableRecovery: true, EnablePositioning: true}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	token := flag.String("token", "", "the only token, or connect data, to let in")
	flag.Parse()
	if err := serve(*listen, *token); err != nil {
		log.Fatal(err)
	}
}

// What a client may say of itself.
type connectData struct {
	Token string
	// Subscribed by the server.
	Channel string
}

func serve(listen, token string) error {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return err
	}
	node.OnConnecting(func(_ context.Context, event centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		// Who it is does not matter here; that everybody is somebody else does.
		reply := centrifuge.ConnectReply{
			Credentials: &centrifuge.Credentials{UserID: uuid.NewString()},
		}
		data := connectData{Token: event.Token}
		if len(event.Data) > 0 {
			if err := json.Unmarshal(event.Data, &data); err != nil {
				return reply, centrifuge.ErrorBadRequest
			}
		}
		if data.Token != token {
			return reply, centrifuge.ErrorUnauthorized
		}
		if data.Channel != "" {
			reply.Subscriptions = map[string]centrifuge.SubscribeOptions{data.Channel: followed}
		}
		return reply, nil
	})
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnSubscribe(func(_ centrifuge.SubscribeEvent, done centrifuge.SubscribeCallback) {
			done(centrifuge.SubscribeReply{Options: followed}, nil)
		})
		client.OnHistory(func(_ centrifuge.HistoryEvent, done centrifuge.HistoryCallback) {
			done(centrifuge.HistoryReply{}, nil)
		})
		client.OnPublish(func(event centrifuge.PublishEvent, done centrifuge.PublishCallback) {
			result, err := node.Publish(event.Channel, event.Data,
				centrifuge.WithHistory(historySize, historyTTL))
			done(centrifuge.PublishReply{Result: &result}, err)
		})
	})
	if err := node.Run(); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Printf("ws://%s/connection/websocket\n", listener.Addr())
	mux := http.NewServeMux()
	mux.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{}))
	return http.Serve(listener, mux)
}
