import { spawn } from 'node:child_process';

// Reads from a pipe that only the parent holds: a word means that all is in order, the end of the file that the parent
// is gone. Then it asks the child to end, and after 10 s kills it. It ignores the terminal's signals.
const WATCHER = `
trap '' INT TERM HUP
read -r word && exit 0
kill -s "$2" "$1" 2>/dev/null || exit 0
for i in 1 2 3 4 5 6 7 8 9 10; do
  sleep 1
  kill -0 "$1" 2>/dev/null || exit 0
done
kill -s KILL "$1"
`;

/** Ends process `pid` when this process dies without calling the returned function. Not on Windows. */
export function watchParent(pid: number, stopSignal: 'SIGTERM' | 'SIGINT'): () => void {
  if (process.platform === 'win32') return () => undefined;
  const watcher = spawn('/bin/sh', ['-c', WATCHER, 'headrace-parent-watch', String(pid), stopSignal.slice(3)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  // Without a watcher the pid file still lets the next start clean up.
  watcher.once('error', () => undefined);
  watcher.stdin.once('error', () => undefined);
  watcher.unref();
  if ('unref' in watcher.stdin && typeof watcher.stdin.unref === 'function') watcher.stdin.unref();
  return () => watcher.stdin.end('done\n');
}
