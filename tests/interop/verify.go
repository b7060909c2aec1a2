// Verify checks signed notes, checkpoints and folders of tiles with the Go project's own packages for transparency
// logs, golang.org/x/mod/sumdb/note and tlog. It shares no code with the log that the tests check.
//
//	verify note VKEY FILE
//	verify checkpoint VKEY ORIGIN PATH
//	verify inclusion VKEY FOLDER INDEX
//	verify consistency FOLDER OLD NEW VKEY
//
// A FOLDER has the layout of c2sp.org/tlog-tiles. PATH is a file, or a folder with a file "checkpoint". OLD and NEW are
// files with signed checkpoints. What is correct prints a line that begins with "ok" and exits with 0. What is not
// prints the reason on standard error and exits with 1; a wrong command line exits with 2.
package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	// The height of a tile: 2^8 hashes.
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	// The length that precedes an entry in a bundle.
	lengthBytes = 2

	usage = `usage: verify note VKEY FILE
       verify checkpoint VKEY ORIGIN PATH
       verify inclusion VKEY FOLDER INDEX
       verify consistency FOLDER OLD NEW VKEY`
)

// The numbers of arguments of the commands.
var commands = map[string]int{"note": 2, "checkpoint": 3, "inclusion": 3, "consistency": 4}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == 0 || len(os.Args)-2 != commands[os.Args[1]] {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	result, err := run(os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
	fmt.Println("ok", result)
}

func run(command string, arguments []string) (string, error) {
	switch command {
	case "note":
		return checkNote(arguments[0], arguments[1])
	case "checkpoint":
		return checkCheckpoint(arguments[0], arguments[1], arguments[2])
	case "inclusion":
		return checkInclusion(arguments[0], arguments[1], arguments[2])
	default:
		return checkConsistency(arguments[0], arguments[1], arguments[2], arguments[3])
	}
}

func checkNote(vkey, file string) (string, error) {
	opened, err := open(vkey, file)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d of %d signatures are by %s", len(opened.Sigs), len(opened.Sigs)+len(opened.UnverifiedSigs),
		opened.Sigs[0].Name), nil
}

func checkCheckpoint(vkey, origin, path string) (string, error) {
	found, err := readCheckpoint(vkey, path)
	if err != nil {
		return "", err
	}
	if found.origin != origin {
		return "", fmt.Errorf("the origin is %q", found.origin)
	}
	return found.String(), nil
}

func checkInclusion(vkey, folder, number string) (string, error) {
	index, err := strconv.ParseInt(number, 10, 64)
	if err != nil || index < 0 {
		return "", fmt.Errorf("%q is no index", number)
	}
	head, err := readCheckpoint(vkey, folder)
	if err != nil {
		return "", err
	}
	if index >= head.tree.N {
		return "", fmt.Errorf("entry %d is not in a tree of size %d", index, head.tree.N)
	}
	entry, err := readEntry(folder, head.tree.N, index)
	if err != nil {
		return "", err
	}
	proof, err := tlog.ProveRecord(head.tree.N, index, tlog.TileHashReader(head.tree, tiles{folder}))
	if err != nil {
		return "", err
	}
	if err := tlog.CheckRecord(proof, head.tree.N, head.tree.Hash, index, tlog.RecordHash(entry)); err != nil {
		return "", fmt.Errorf("entry %d: %w", index, err)
	}
	return fmt.Sprintf("entry %d of %d: %d bytes", index, head.tree.N, len(entry)), nil
}

func checkConsistency(folder, oldFile, newFile, vkey string) (string, error) {
	before, err := readCheckpoint(vkey, oldFile)
	if err != nil {
		return "", err
	}
	after, err := readCheckpoint(vkey, newFile)
	if err != nil {
		return "", err
	}
	if before.origin != after.origin {
		return "", fmt.Errorf("the origins are %q and %q", before.origin, after.origin)
	}
	if before.tree.N > after.tree.N {
		return "", fmt.Errorf("the tree shrank from %d to %d", before.tree.N, after.tree.N)
	}
	// Every tree continues the empty one, and tlog knows no proof from it.
	if before.tree.N > 0 {
		reader := tlog.TileHashReader(after.tree, tiles{folder})
		proof, err := tlog.ProveTree(after.tree.N, before.tree.N, reader)
		if err != nil {
			return "", err
		}
		err = tlog.CheckTree(proof, after.tree.N, after.tree.Hash, before.tree.N, before.tree.Hash)
		if err != nil {
			return "", fmt.Errorf("from size %d to %d: %w", before.tree.N, after.tree.N, err)
		}
	}
	return fmt.Sprintf("size %d continues size %d", after.tree.N, before.tree.N), nil
}

// open reads a signed note and verifies that the key has signed it.
func open(vkey, file string) (*note.Note, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, err
	}
	message, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return note.Open(message, note.VerifierList(verifier))
}

// checkpoint is the text of c2sp.org/tlog-checkpoint.
type checkpoint struct {
	origin     string
	tree       tlog.Tree
	extensions int
}

func (c checkpoint) String() string {
	return fmt.Sprintf("%s has size %d and root %s, %d extension lines", c.origin, c.tree.N, c.tree.Hash, c.extensions)
}

func readCheckpoint(vkey, path string) (checkpoint, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "checkpoint")
	}
	opened, err := open(vkey, path)
	if err != nil {
		return checkpoint{}, err
	}
	return parseCheckpoint(opened.Text)
}

func parseCheckpoint(text string) (checkpoint, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) < 3 {
		return checkpoint{}, errors.New("a checkpoint has at least three lines")
	}
	for _, line := range lines {
		if line == "" {
			return checkpoint{}, errors.New("the checkpoint has an empty line")
		}
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return checkpoint{}, fmt.Errorf("%q is no size", lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return checkpoint{}, fmt.Errorf("%q is no root hash", lines[2])
	}
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	if empty := sha256.Sum256(nil); size == 0 && tree.Hash != empty {
		return checkpoint{}, errors.New("the tree is empty, and its root is not that of the empty tree")
	}
	return checkpoint{lines[0], tree, len(lines) - 3}, nil
}

// tiles reads tiles from a folder. tlog verifies every hash in them against the root of the tree.
type tiles struct {
	folder string
}

func (tiles) Height() int { return tileHeight }

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var read [][]byte
	for _, tile := range wanted {
		// tlog names the height in the path, c2sp.org/tlog-tiles does not.
		path := func(tile tlog.Tile) string {
			return strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight), "tile/", 1)
		}
		full := tile
		full.W = tileWidth
		hashes, err := readPartialOrFull(t.folder, path(tile), path(full))
		if err != nil {
			return nil, err
		}
		bytesWanted := tile.W * tlog.HashSize
		if len(hashes) != bytesWanted && len(hashes) != tileWidth*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes instead of %d", path(tile), len(hashes), bytesWanted)
		}
		read = append(read, hashes[:bytesWanted])
	}
	return read, nil
}

// readEntry returns an entry of a tree of this size.
func readEntry(folder string, size, index int64) ([]byte, error) {
	number := index / tileWidth
	width := int64(tileWidth)
	if left := size - number*tileWidth; left < width {
		width = left
	}
	path := func(width int64) string {
		tile := tlog.Tile{H: tileHeight, L: -1, N: number, W: int(width)}
		return strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/data/", tileHeight), "tile/entries/", 1)
	}
	bundle, err := readPartialOrFull(folder, path(width), path(tileWidth))
	if err != nil {
		return nil, err
	}
	entries, err := parseBundle(bundle)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path(width), err)
	}
	if found := int64(len(entries)); found != width && found != tileWidth {
		return nil, fmt.Errorf("%s has %d entries", path(width), found)
	}
	return entries[index%tileWidth], nil
}

func parseBundle(bundle []byte) ([][]byte, error) {
	var entries [][]byte
	for rest := bundle; len(rest) > 0; {
		if len(rest) < lengthBytes {
			return nil, errors.New("the bundle ends within a length")
		}
		length := int(binary.BigEndian.Uint16(rest))
		rest = rest[lengthBytes:]
		if len(rest) < length {
			return nil, errors.New("the bundle ends within an entry")
		}
		entries = append(entries, rest[:length:length])
		rest = rest[length:]
	}
	return entries, nil
}

// readPartialOrFull reads the full file if there is no partial one, because a log may remove partial files then.
func readPartialOrFull(folder, partial, full string) ([]byte, error) {
	content, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(partial)))
	if errors.Is(err, fs.ErrNotExist) {
		content, err = os.ReadFile(filepath.Join(folder, filepath.FromSlash(full)))
	}
	return content, err
}
