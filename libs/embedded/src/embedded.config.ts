import { join, resolve } from 'node:path';

/** The release of Kafka that `kafka-jars.lock` pins. */
export const KAFKA_VERSION = '4.3.1';

/** Where installed things are kept; the same for every data directory. */
export interface InstallationFolders {
  readonly repository: string;
  /** Downloads that may be deleted and fetched again; HEADRACE_CACHE moves it. */
  readonly cache: string;
  /** The Python environment made by tools/install.mjs; HEADRACE_PYTHON_ENV moves it. */
  readonly pythonEnvironment: string;
  /** Folder of Kafka's jars inside the cache. */
  readonly kafkaJars: string;
  readonly kafkaJarsLock: string;
}

export interface EmbeddedSettings {
  readonly folders: InstallationFolders;
  readonly javaHome: string | undefined;
  readonly searchPath: string;
  /** A mirror of Maven Central; HEADRACE_MAVEN_REPOSITORY. */
  readonly mavenRepository: string | undefined;
}

/** This library's only reader of the environment. */
export function readEmbeddedSettings(environment: NodeJS.ProcessEnv = process.env): EmbeddedSettings {
  // The same depth from src/ (tests) and from dist/ (everything else).
  const repository = resolve(__dirname, '..', '..', '..');
  const cache = resolve(environment['HEADRACE_CACHE'] || join(repository, '.headrace', 'cache'));
  return {
    folders: {
      repository,
      cache,
      pythonEnvironment: resolve(environment['HEADRACE_PYTHON_ENV'] || join(repository, '.headrace', 'python')),
      kafkaJars: join(cache, `kafka-${KAFKA_VERSION}`),
      kafkaJarsLock: join(repository, 'libs', 'embedded', 'kafka-jars.lock'),
    },
    javaHome: environment['JAVA_HOME'] || undefined,
    searchPath: environment['PATH'] ?? '',
    mavenRepository: environment['HEADRACE_MAVEN_REPOSITORY'] || undefined,
  };
}

export function installationFolders(): InstallationFolders {
  return readEmbeddedSettings().folders;
}
