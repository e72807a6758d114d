// The photos of a scene with what their owner can do with them: download all, add others.
import { useState } from "preact/hooks";

import type { StoredPhoto } from "../../../../shared/contracts/api.ts";
import { PHOTOS } from "../../texts/photos.ts";
import type { StateProps } from "../project/state-props.ts";
import { AddPhotos } from "./add.tsx";
import { PhotoSheet } from "./sheet.tsx";

interface MyPhotosProps extends StateProps {
  photos: readonly StoredPhoto[];
  onChanged: () => void;
}

export function MyPhotos({ photos, onChanged, ...state }: MyPhotosProps) {
  const [adding, setAdding] = useState(false);
  return (
    <div class="stack my-photos">
      <PhotoSheet project={state.project} photos={photos} mayUpload={state.mayUpload} onChanged={onChanged} />
      {adding ? (
        <AddPhotos {...state} photos={photos} onClose={() => setAdding(false)} />
      ) : state.mayUpload ? (
        <div class="row">
          <button class="button quiet" type="button" onClick={() => setAdding(true)}>
            {PHOTOS.add}
          </button>
        </div>
      ) : null}
    </div>
  );
}
