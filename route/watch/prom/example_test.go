package prom_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/alphapulse/transport/route/watch"
	"github.com/alphapulse/transport/route/watch/prom"
)

// A node's directory is served from any process that may read it.
func ExampleView() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	board, err := watch.Post(dir, "left", watch.NodeProcess) // a node does this by itself
	if err != nil {
		fmt.Println(err)
		return
	}
	defer board.Close()
	board.Round(time.Now(), func() bool { board.Fact(watch.CarriageStranded, true, "trades", "middle"); return true })

	mux := http.NewServeMux()
	prom.Of(dir).Mount(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	fmt.Println(w.Code, w.Body)
	// Output: 503 {"state":"failing","faults":[{"state":"failing","what":"channel trades to middle","why":"no way is alive: what is published waits in its rings"}]}
}
