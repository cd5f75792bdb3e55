// Providers of logins for tests: Dex with its passwords, and the server that zitadel/oidc has as its example.
//
//	providers dex PORT WEB_FOLDER LIFETIME PROXY_ADDRESS
//	providers zitadel PORT USERS_FILE
//
// LIFETIME is that of Dex's ID tokens ("20s"), PROXY_ADDRESS the address of oauth2-proxy, a client of Dex with a secret.
// calopipe is a client without a secret of both, "calopipe-device" one with a secret of zitadel's.
package main

import (
	"context"
	"log"
	"log/slog"
	"net/http"
	"os"
	"time"

	dex "github.com/dexidp/dex/server"
	dexstorage "github.com/dexidp/dex/storage"
	"github.com/dexidp/dex/storage/memory"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"golang.org/x/crypto/bcrypt"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func dexServer(address, web, lifetime, proxy string) http.Handler {
	logger := logrus.New()
	valid, err := time.ParseDuration(lifetime)
	must(err)
	hash, err := bcrypt.GenerateFromPassword([]byte("showers"), bcrypt.DefaultCost)
	must(err)
	store := memory.New(logger)
	store = dexstorage.WithStaticClients(store, []dexstorage.Client{
		{ID: "calopipe", Name: "calopipe", Public: true},
		{ID: "kubeflow", Name: "Kubeflow", Secret: "secret-of-the-proxy", RedirectURIs: []string{proxy + "/oauth2/callback"}},
	})
	store = dexstorage.WithStaticPasswords(store, []dexstorage.Password{
		{Email: "jdoe@example.org", Username: "jdoe", UserID: "42", Hash: hash},
	}, logger)
	store = dexstorage.WithStaticConnectors(store, []dexstorage.Connector{{ID: dex.LocalConnector, Type: dex.LocalConnector, Name: "Email"}})
	server, err := dex.NewServer(context.Background(), dex.Config{
		Issuer:             address + "/dex",
		Storage:            store,
		SkipApprovalScreen: true,
		IDTokensValidFor:   valid,
		Web:                dex.WebConfig{Dir: web},
		Logger:             logger,
		PrometheusRegistry: prometheus.NewRegistry(),
	})
	must(err)
	return server
}

func zitadelServer(address, users string) http.Handler {
	storage.RegisterClients(
		storage.NativeClient("calopipe", "http://127.0.0.1/callback"),
		storage.DeviceClient("calopipe-device", "secret-of-the-device"),
	)
	known, err := storage.StoreFromFile(users)
	must(err)
	return exampleop.SetupServer(address, storage.NewStorage(known), slog.New(slog.NewTextHandler(os.Stderr, nil)), false)
}

func main() {
	port := os.Args[2]
	address := "http://127.0.0.1:" + port
	var handler http.Handler
	switch os.Args[1] {
	case "dex":
		handler = dexServer(address, os.Args[3], os.Args[4], os.Args[5])
	case "zitadel":
		handler = zitadelServer(address, os.Args[3])
	default:
		log.Fatal("there is no provider ", os.Args[1])
	}
	must(http.ListenAndServe("127.0.0.1:"+port, handler))
}
