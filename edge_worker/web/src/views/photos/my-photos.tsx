// The photos of a scene with what their owner can do with them: download all, add others.
import { useState } from "preact/hooks";

import type { StoredPhoto } from "../../../../shared/contracts/api.ts";
import { downloadName } from "../../../../shared/download-name.ts";
import { photoUrl } from "../../api/api.ts";
import { bytes } from "../../lib/format.ts";
import { uniquely } from "../../lib/save-zip.ts";
import { PHOTOS } from "../../texts/photos.ts";
import { ZipButton } from "../common/zip-button.tsx";
import type { StateProps } from "../project/state-props.ts";
import { AddPhotos } from "./add.tsx";
import { PhotoSheet } from "./sheet.tsx";

/** What a browser holds as one file without trouble, also on a phone. Each photo can be saved by itself. */
const ARCHIVE_BYTES_MAX = 2e9;

interface MyPhotosProps extends StateProps {
  photos: readonly StoredPhoto[];
  onChanged: () => void;
}

export function MyPhotos({ photos, onChanged, ...state }: MyPhotosProps) {
  const [adding, setAdding] = useState(false);
  const stored = photos.filter(({ uploaded }) => uploaded);
  const size = stored.reduce((sum, one) => sum + one.bytes, 0);
  const names = uniquely(stored.map(({ name }) => name));
  const entries = stored.map(({ as }, i) => ({ name: names[i] ?? as, url: photoUrl(state.project.id, as) }));
  return (
    <div class="stack my-photos">
      <PhotoSheet project={state.project} photos={photos} mayUpload={state.mayUpload} onChanged={onChanged} />
      {adding ? (
        <AddPhotos {...state} photos={photos} onClose={() => setAdding(false)} />
      ) : (
        <div class="row">
          {state.mayUpload ? (
            <button class="button quiet" type="button" onClick={() => setAdding(true)}>
              {PHOTOS.add}
            </button>
          ) : null}
          {entries.length > 0 && size <= ARCHIVE_BYTES_MAX ? <ZipButton label={PHOTOS.saveAll(bytes(size))} name={downloadName(state.project.name, "photos.zip")} entries={entries} /> : null}
        </div>
      )}
    </div>
  );
}
