import { tmpdir } from 'node:os';
import { firstClosedFolder, type FolderRights, requireSpace } from './folders';

const postgres = { uid: 101, gid: 104 };

function folder(path: string, mode: number, uid = 0, gid = 0): FolderRights {
  return { path, mode: 0o40000 | mode, uid, gid };
}

describe('folders that another user must be able to enter', () => {
  it('finds none when each lets others pass, be it without reading', () => {
    expect(firstClosedFolder([folder('/', 0o755), folder('/srv', 0o711)], postgres)).toBeUndefined();
  });

  it('finds the first closed one on the way down', () => {
    const way = [folder('/', 0o755), folder('/root', 0o700), folder('/root/data', 0o700)];
    expect(firstClosedFolder(way, postgres)).toBe('/root');
  });

  it('judges by the rights of the owner or the group where the user is that', () => {
    expect(firstClosedFolder([folder('/own', 0o700, postgres.uid)], postgres)).toBeUndefined();
    expect(firstClosedFolder([folder('/group', 0o710, 0, postgres.gid)], postgres)).toBeUndefined();
    expect(firstClosedFolder([folder('/group', 0o701, 0, postgres.gid)], postgres)).toBe('/group');
  });
});

describe('space on the disk', () => {
  it('is refused with what is needed and what is there', async () => {
    await expect(requireSpace(tmpdir(), 1e12, 'Kafka')).rejects.toMatchObject({
      fault: 'disk-full',
      message: expect.stringMatching(/^Kafka needs 1000000000000 MiB but only \d+ MiB are free under /),
    });
  });
});
