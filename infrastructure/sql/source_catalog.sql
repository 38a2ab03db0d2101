-- The catalog of rasters that H3 aggregation can read.

-- name: put_stac_collection
-- Enter a registered STAC collection, or bring its entry up to date. What only people know
-- (theme, unit, recommended statistics, whether it is active) stays where nothing new is
-- given. One row comes back if anything changed; `created` says whether it is new.
INSERT INTO h3.source_catalog AS present (
    id, display_name, description, source_type, stac_api_url, collection_id, asset_key,
    native_resolution_m, crs, data_type, nodata_value, band_count, theme,
    spatial_extent, temporal_extent_start, temporal_extent_end,
    source_provider, source_license, citation
) VALUES (
    %(collection_id)s, %(display_name)s, %(description)s, 'stac_collection', %(stac_api_url)s,
    %(collection_id)s, %(asset_key)s,
    %(native_resolution_m)s, %(crs)s, %(data_type)s, %(nodata_value)s, %(band_count)s, %(theme)s,
    ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4326),
    %(temporal_extent_start)s, %(temporal_extent_end)s,
    %(source_provider)s, %(source_license)s, %(citation)s
)
ON CONFLICT (id) DO UPDATE SET
    display_name = excluded.display_name,
    description = excluded.description,
    source_type = excluded.source_type,
    stac_api_url = excluded.stac_api_url,
    collection_id = excluded.collection_id,
    asset_key = excluded.asset_key,
    native_resolution_m = excluded.native_resolution_m,
    crs = excluded.crs,
    data_type = excluded.data_type,
    nodata_value = excluded.nodata_value,
    band_count = excluded.band_count,
    theme = coalesce(excluded.theme, present.theme),
    spatial_extent = excluded.spatial_extent,
    temporal_extent_start = excluded.temporal_extent_start,
    temporal_extent_end = excluded.temporal_extent_end,
    source_provider = excluded.source_provider,
    source_license = excluded.source_license,
    citation = excluded.citation,
    updated_at = now()
WHERE (present.display_name, present.description, present.source_type, present.stac_api_url,
       present.collection_id, present.asset_key, present.native_resolution_m, present.crs,
       present.data_type, present.nodata_value, present.band_count, present.theme,
       present.temporal_extent_start, present.temporal_extent_end, present.source_provider,
       present.source_license, present.citation)
    IS DISTINCT FROM
      (excluded.display_name, excluded.description, excluded.source_type, excluded.stac_api_url,
       excluded.collection_id, excluded.asset_key, excluded.native_resolution_m, excluded.crs,
       excluded.data_type, excluded.nodata_value, excluded.band_count,
       coalesce(excluded.theme, present.theme),
       excluded.temporal_extent_start, excluded.temporal_extent_end, excluded.source_provider,
       excluded.source_license, excluded.citation)
   OR NOT ST_Equals(present.spatial_extent, excluded.spatial_extent)
RETURNING xmax = 0 AS created;
