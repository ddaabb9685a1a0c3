package ganeti

import "io"

// CutObject reads one body that has to be a JSON object, without a connection.
func CutObject(r io.Reader, buffer []byte, limit int64) ([]byte, error) {
	return cutObject(newWindow(r, buffer, limit))
}
