-- The catalog of rasters that H3 aggregation can read.

-- name: put_stac_collection
-- Enter a registered STAC collection, or bring its entry up to date. Unit and recommendations
-- follow the rasters, unless they are not what was computed last: then people have set them, and
-- they stay. So do the theme where no other one is given, and what is known of values and bands
-- where nothing is this time. One row comes back if anything changed; `created` says whether it
-- is new.
INSERT INTO h3.source_catalog AS present (
    id, display_name, description, source_type, stac_api_url, collection_id, asset_key,
    native_resolution_m, crs, data_type, nodata_value, value_range, band_count, band_info, theme,
    recommended_stats, recommended_h3_res_min, recommended_h3_res_max, unit,
    spatial_extent, temporal_extent_start, temporal_extent_end,
    source_provider, source_license, citation, computed
) VALUES (
    %(collection_id)s, %(display_name)s, %(description)s, 'stac_collection', %(stac_api_url)s,
    %(collection_id)s, %(asset_key)s,
    %(native_resolution_m)s, %(crs)s, %(data_type)s, %(nodata_value)s, %(value_range)s,
    %(band_count)s, %(band_info)s, %(theme)s,
    %(recommended_stats)s, %(recommended_h3_res_min)s, %(recommended_h3_res_max)s, %(unit)s,
    ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4326),
    %(temporal_extent_start)s, %(temporal_extent_end)s,
    %(source_provider)s, %(source_license)s, %(citation)s, %(computed)s
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
    value_range = coalesce(excluded.value_range, present.value_range),
    band_count = excluded.band_count,
    band_info = coalesce(excluded.band_info, present.band_info),
    theme = coalesce(excluded.theme, present.theme),
    recommended_stats = CASE
        WHEN to_jsonb(present.recommended_stats) IS NOT DISTINCT FROM present.computed -> 'recommended_stats'
        THEN coalesce(excluded.recommended_stats, present.recommended_stats) ELSE present.recommended_stats END,
    recommended_h3_res_min = CASE
        WHEN to_jsonb(present.recommended_h3_res_min) IS NOT DISTINCT FROM present.computed -> 'recommended_h3_res_min'
        THEN coalesce(excluded.recommended_h3_res_min, present.recommended_h3_res_min) ELSE present.recommended_h3_res_min END,
    recommended_h3_res_max = CASE
        WHEN to_jsonb(present.recommended_h3_res_max) IS NOT DISTINCT FROM present.computed -> 'recommended_h3_res_max'
        THEN coalesce(excluded.recommended_h3_res_max, present.recommended_h3_res_max) ELSE present.recommended_h3_res_max END,
    unit = CASE
        WHEN to_jsonb(present.unit) IS NOT DISTINCT FROM present.computed -> 'unit'
        THEN coalesce(excluded.unit, present.unit) ELSE present.unit END,
    computed = present.computed || excluded.computed,
    spatial_extent = excluded.spatial_extent,
    temporal_extent_start = excluded.temporal_extent_start,
    temporal_extent_end = excluded.temporal_extent_end,
    source_provider = excluded.source_provider,
    source_license = excluded.source_license,
    citation = excluded.citation,
    updated_at = now()
WHERE (present.display_name, present.description, present.source_type, present.stac_api_url,
       present.collection_id, present.asset_key, present.native_resolution_m, present.crs,
       present.data_type, present.nodata_value, present.value_range, present.band_count,
       present.band_info, present.theme, present.computed,
       present.temporal_extent_start, present.temporal_extent_end, present.source_provider,
       present.source_license, present.citation)
    IS DISTINCT FROM
      (excluded.display_name, excluded.description, excluded.source_type, excluded.stac_api_url,
       excluded.collection_id, excluded.asset_key, excluded.native_resolution_m, excluded.crs,
       excluded.data_type, excluded.nodata_value,
       coalesce(excluded.value_range, present.value_range), excluded.band_count,
       coalesce(excluded.band_info, present.band_info), coalesce(excluded.theme, present.theme),
       present.computed || excluded.computed,
       excluded.temporal_extent_start, excluded.temporal_extent_end, excluded.source_provider,
       excluded.source_license, excluded.citation)
   OR NOT ST_Equals(present.spatial_extent, excluded.spatial_extent)
RETURNING xmax = 0 AS created;
