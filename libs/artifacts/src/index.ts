export { ArtifactStore, digestOfFile } from './artifact-store';
