// reader KEYS BASE ORIGIN [PROOF...]: reads logs that were published or are served, by third-party code alone:
// golang.org/x/mod/sumdb/note + sumdb/tlog, transparency-dev/formats, merkle and tessera (client and fsck).
//
// KEYS is a verifier-keys.txt, BASE the folder or address of its logs (…/logs), ORIGIN the house's name, which
// is left out of the logs' paths. Each PROOF is an entry, a newline, and its tlog-proof. Checkpoints are kept
// in TMPDIR: the next run proves that the logs still continue them.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	f_log "github.com/transparency-dev/formats/log"
	f_proof "github.com/transparency-dev/formats/proof"
	mproof "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var (
	ctx  = context.Background()
	hash = rfc6962.DefaultHasher
)

func must(err error, what ...any) {
	if err != nil {
		fmt.Fprintln(os.Stderr, append([]any{"FAILED:", err}, what...)...)
		os.Exit(1)
	}
}

func equal(got, want any, what string) {
	if got != want {
		must(fmt.Errorf("%s: got %v, want %v", what, got, want))
	}
}

func main() {
	keys, err := os.ReadFile(os.Args[1])
	must(err)
	verifiers := map[string]note.Verifier{}
	for _, line := range strings.Split(strings.TrimSuffix(string(keys), "\n"), "\n") {
		v, err := note.NewVerifier(line)
		must(err, line)
		verifiers[v.Name()] = v
		name, ok := strings.CutPrefix(v.Name(), os.Args[3]+"/")
		equal(ok, true, "a key of this house")
		read(open(strings.TrimSuffix(os.Args[2], "/")+"/"+name), v)
	}
	for _, path := range os.Args[4:] {
		prove(path, verifiers)
	}
}

func open(place string) fsck.Fetcher {
	at, err := url.Parse(place)
	must(err)
	if at.Scheme == "" {
		return client.FileFetcher{Root: place}
	}
	served, err := client.NewHTTPFetcher(at, nil)
	must(err)
	return served
}

// read reads a whole log, and holds every library's way to its root against the others'.
func read(f fsck.Fetcher, v note.Verifier) {
	head, raw, _, err := client.FetchCheckpoint(ctx, f.ReadCheckpoint, v, v.Name())
	must(err, v.Name())
	opened, err := note.Open(raw, note.VerifierList(v))
	must(err, v.Name())
	equal(string(head.Marshal()), opened.Text, "the checkpoint's text")
	must(fsck.New(v.Name(), v, f, leaves, fsck.Opts{N: 2}).Check(ctx), "fsck of", v.Name())

	entries := fetch(f, head.Size)
	roots := rootsOf(entries)
	equal(roots[head.Size], tlog.Hash(head.Hash), "the root")
	proofs := proveAll(f, entries, roots)
	fmt.Printf("ok %s: %d entries, %d proofs, continues %s\n", v.Name(), head.Size, proofs, track(f, v))
}

// leaves is what Tessera's fsck command gives to its library.
func leaves(bundle []byte) ([][]byte, error) {
	eb, found := api.EntryBundle{}, [][]byte{}
	err := eb.UnmarshalText(bundle)
	for _, each := range eb.Entries {
		found = append(found, hash.HashLeaf(each))
	}
	return found, err
}

func fetch(f fsck.Fetcher, size uint64) [][]byte {
	var entries [][]byte
	for i := uint64(0); i*256 < size; i++ {
		bundle, err := client.GetEntryBundle(ctx, f.ReadEntryBundle, i, size)
		must(err)
		equal(uint64(len(bundle.Entries)), min(256, size-i*256), "the width of a bundle")
		entries = append(entries, bundle.Entries...)
	}
	return entries
}

// rootsOf returns the root at each size, by x/mod's tlog.
func rootsOf(entries [][]byte) []tlog.Hash {
	var store []tlog.Hash
	stored := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, each := range indexes {
			found[i] = store[each]
		}
		return found, nil
	})
	roots := []tlog.Hash{{}}
	for i, each := range entries {
		more, err := tlog.StoredHashes(int64(i), each, stored)
		must(err)
		store = append(store, more...)
		root, err := tlog.TreeHash(int64(i+1), stored)
		must(err)
		roots = append(roots, root)
	}
	return roots
}

// proveAll proves entries and earlier sizes, of a long log some of them, by two libraries; it returns how many.
func proveAll(f fsck.Fetcher, entries [][]byte, roots []tlog.Hash) int {
	size := int64(len(entries))
	root, tiles := roots[size], tlog.TileHashReader(tlog.Tree{N: size, Hash: roots[size]}, tileReader{f})
	builder, err := client.NewProofBuilder(ctx, uint64(size), f.ReadTile)
	must(err)
	count := 0
	for i := range size {
		if size > 2_000 && i%1499 != 0 && i&(i-1) != 0 && (i+1)&i != 0 && i != size-1 {
			continue
		}
		count++
		record, err := tlog.ProveRecord(size, i, tiles)
		must(err)
		must(tlog.CheckRecord(record, size, root, i, tlog.RecordHash(entries[i])))
		inclusion, err := builder.InclusionProof(ctx, uint64(i))
		must(err)
		must(mproof.VerifyInclusion(hash, uint64(i), uint64(size), hash.HashLeaf(entries[i]), inclusion, root[:]))
		tree, err := tlog.ProveTree(size, i+1, tiles)
		must(err)
		must(tlog.CheckTree(tree, size, root, i+1, roots[i+1]))
		if i+1 < size {
			between, err := builder.ConsistencyProof(ctx, uint64(i+1), uint64(size))
			must(err)
			must(mproof.VerifyConsistency(hash, uint64(i+1), uint64(size), between, roots[i+1][:], root[:]))
		}
	}
	return count
}

// tileReader gives C2SP's tiles to x/mod's tlog, whose own paths are the checksum database's.
type tileReader struct{ f fsck.Fetcher }

func (r tileReader) Height() int                         { return 8 }
func (r tileReader) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, each := range tiles {
		data, err := r.f.ReadTile(ctx, uint64(each.L), uint64(each.N), uint8(each.W%256))
		if err != nil {
			return nil, err
		}
		found = append(found, data[:each.W*tlog.HashSize])
	}
	return found, nil
}

// track proves that the log continues the checkpoint that was kept, and keeps this one.
func track(f fsck.Fetcher, v note.Verifier) string {
	kept := filepath.Join(os.TempDir(), fmt.Sprintf("checkpoint-%x", sha256.Sum256([]byte(v.Name()))))
	old, err := os.ReadFile(kept)
	if err != nil {
		old = nil
	}
	fetcher := client.UnilateralConsensus(f.ReadCheckpoint)
	tracker, err := client.NewLogStateTracker(ctx, f.ReadTile, old, v, v.Name(), fetcher)
	must(err)
	before := tracker.Latest().Size
	_, _, now, err := tracker.Update(ctx)
	must(err)
	must(os.WriteFile(kept, now, 0o600))
	if old == nil {
		return "nothing yet"
	}
	return fmt.Sprint(before)
}

// prove checks an entry with its tlog-proof.
func prove(path string, verifiers map[string]note.Verifier) {
	data, err := os.ReadFile(path)
	must(err)
	entry, text, _ := bytes.Cut(data, []byte("\n"))
	var told f_proof.TLogProof
	must(told.Unmarshal(text), path)
	equal(string(told.Marshal()), string(text), "the proof, written again")
	origin, _, _ := strings.Cut(string(told.Checkpoint), "\n")
	v, known := verifiers[origin]
	equal(known, true, "a key for "+origin)
	head, _, _, err := f_log.ParseCheckpoint(told.Checkpoint, origin, v)
	must(err, path)
	var hashes [][]byte
	for i := range told.Hashes {
		hashes = append(hashes, told.Hashes[i][:])
	}
	must(mproof.VerifyInclusion(hash, told.Index, head.Size, hash.HashLeaf(entry), hashes, head.Hash), path)
	fmt.Printf("ok %s: entry %d of %s, which has %d\n", path, told.Index, origin, head.Size)
}
