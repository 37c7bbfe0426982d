// Command explain asks an Unmask server why its detector decided what it decided about a picture, and prints one line of JSON.
//
//	explain [--ca FILE] [--cert FILE --key FILE] [--token FILE] [--overlay FILE] [--passes N] [--seconds N] ADDRESS IMAGE
//
// stubs.sh makes unmaskv1 of proto/. docs/clients.md tells how.
package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"unmask.example/explain/unmaskv1"
)

const (
	// With all its pictures an answer is larger than the 4 MiB that gRPC receives where nothing is said.
	largest = 32 << 20
	// Requests take turns over all addresses of a name, such as those of a headless Service.
	balancing = `{"loadBalancingConfig": [{"round_robin": {}}]}`
	tries     = 10
)

// Each window hidden, and shown alone, over the same picture changed so that the detector decides otherwise. Over a colour, a map of
// a detector of manipulation shows above all that a patch looks manipulated.
var (
	method = &unmaskv1.Method{Kind: &unmaskv1.Method_Occlusion{
		Occlusion: &unmaskv1.Occlusion{Mode: unmaskv1.OcclusionMode_OCCLUSION_MODE_BOTH},
	}}
	fill = &unmaskv1.Fill{Kind: &unmaskv1.Fill_Adversarial{Adversarial: &unmaskv1.AdversarialFill{}}}
)

var (
	ca      = flag.String("ca", "", "authorities of the server's certificate (PEM); plaintext without it")
	cert    = flag.String("cert", "", "own certificate (PEM), where the server wants one")
	key     = flag.String("key", "", "its private key (PEM)")
	token   = flag.String("token", "", "file of a bearer token")
	overlay = flag.String("overlay", "", "where to write the map over the picture (PNG)")
	passes  = flag.Uint64("passes", 0, "most forward passes to spend")
	seconds = flag.Float64("seconds", 120, "how long to wait, all tries together")
)

// bearer goes with every call, and gRPC sends it over TLS only.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return true }

func connect(address string) (*grpc.ClientConn, error) {
	options := []grpc.DialOption{
		grpc.WithDefaultServiceConfig(balancing),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(largest)),
	}
	transport := insecure.NewCredentials()
	if *ca != "" {
		pem, err := os.ReadFile(*ca)
		if err != nil {
			return nil, err
		}
		config := &tls.Config{RootCAs: x509.NewCertPool()}
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", *ca)
		}
		if *cert != "" {
			own, err := tls.LoadX509KeyPair(*cert, *key)
			if err != nil {
				return nil, err
			}
			config.Certificates = []tls.Certificate{own}
		}
		transport = credentials.NewTLS(config)
	}
	if *token != "" {
		text, err := os.ReadFile(*token)
		if err != nil {
			return nil, err
		}
		options = append(options, grpc.WithPerRPCCredentials(bearer(strings.TrimSpace(string(text)))))
	}
	return grpc.NewClient("dns:///"+address, append(options, grpc.WithTransportCredentials(transport))...)
}

// pause says after what time to ask again, and whether: for most errors the answer would be the same.
func pause(err error, try int) (time.Duration, bool) {
	code := status.Code(err)
	if code != codes.ResourceExhausted && code != codes.Unavailable {
		return 0, false
	}
	wait, told := min(250*time.Millisecond<<try, 8*time.Second), false
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			wait, told = info.RetryDelay.AsDuration(), true
		}
	}
	// A message that is too large is RESOURCE_EXHAUSTED as well, and stays too large.
	if code == codes.ResourceExhausted && !told {
		return 0, false
	}
	// Those who were turned away together shall not come back together.
	return time.Duration(float64(wait) * (1 + rand.Float64()/4)), true
}

// explain asks until there is an answer, an error that stays, or no time. The deadline is that of all tries together.
func explain(client unmaskv1.ExplanationServiceClient, request *unmaskv1.ExplainRequest) (*unmaskv1.ExplainResponse, error) {
	end := time.Now().Add(time.Duration(*seconds * float64(time.Second)))
	ctx, cancel := context.WithDeadline(context.Background(), end)
	defer cancel()
	for try := 0; ; try++ {
		answer, err := client.Explain(ctx, request)
		wait, again := pause(err, try)
		if !again || try+1 == tries || time.Until(end) <= wait {
			return answer, err
		}
		fmt.Fprintf(os.Stderr, "%v; asking again in %.1f s\n", said(err), wait.Seconds())
		time.Sleep(wait)
	}
}

func said(err error) string {
	return fmt.Sprintf("%v: %s", status.Code(err), status.Convert(err).Message())
}

func told(answer *unmaskv1.ExplainResponse) error {
	line := struct {
		Label       string   `json:"label"`
		Probability float64  `json:"probability"`
		TopShare    float64  `json:"top_share"`
		Passes      uint64   `json:"passes"`
		Truncated   bool     `json:"truncated"`
		MapSha256   string   `json:"map_sha256"`
		Warnings    []string `json:"warnings"`
	}{
		Label:    answer.Prediction.Label,
		TopShare: answer.Regions[0].EvidenceShare,
		Passes:   answer.Cost.Run,
		Warnings: append([]string{}, answer.Warnings...),
	}
	for _, score := range answer.Prediction.Scores {
		if score.Label == line.Label {
			line.Probability = score.Probability
		}
	}
	for _, saving := range answer.Cost.Saved {
		switch saving.Reason {
		case unmaskv1.SavingReason_SAVING_REASON_BUDGET, unmaskv1.SavingReason_SAVING_REASON_DEADLINE:
			line.Truncated = true
		}
	}
	sum := sha256.Sum256(answer.Map.Values)
	line.MapSha256 = hex.EncodeToString(sum[:])
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(line)
}

func run() error {
	image, err := os.ReadFile(flag.Arg(1))
	if err != nil {
		return err
	}
	request := &unmaskv1.ExplainRequest{Image: image, Method: method, Fill: fill}
	if *overlay != "" {
		request.Outputs = []unmaskv1.Output{unmaskv1.Output_OUTPUT_OVERLAY}
	}
	// As it was given: nothing said is another thing than 0, which the server refuses.
	flag.Visit(func(given *flag.Flag) {
		if given.Name == "passes" {
			request.Budget = &unmaskv1.Budget{MaxPasses: passes}
		}
	})
	channel, err := connect(flag.Arg(0))
	if err != nil {
		return err
	}
	defer channel.Close()
	answer, err := explain(unmaskv1.NewExplanationServiceClient(channel), request)
	if err != nil {
		lines := []string{said(err)}
		for _, detail := range status.Convert(err).Details() {
			if wrong, ok := detail.(*errdetails.BadRequest); ok {
				for _, field := range wrong.FieldViolations {
					lines = append(lines, fmt.Sprintf("  %s: %s", field.Field, field.Description))
				}
			}
		}
		return errors.New(strings.Join(lines, "\n"))
	}
	if *overlay != "" {
		if err := os.WriteFile(*overlay, answer.OverlayPng, 0o644); err != nil {
			return err
		}
	}
	return told(answer)
}

// check says what the options lack to be safe.
func check() error {
	switch {
	case *token != "" && *ca == "":
		return errors.New("--token needs --ca: whoever is on the way could take it")
	case (*cert == "") != (*key == ""):
		return errors.New("--cert and --key need each other")
	case *cert != "" && *ca == "":
		return errors.New("--cert and --key need --ca: a certificate is shown over TLS only")
	}
	return nil
}

func main() {
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "explain [options] HOST:PORT IMAGE")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	if err := check(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
